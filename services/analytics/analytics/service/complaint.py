"""A complaint as the service figures know it: whose it was when, its reply, and each turn of its life.

Times are those of the occurrence; `turn` is a fact's place among the complaint's own facts.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, NamedTuple, assert_never
from uuid import UUID

from contracts.service_desk import (
    ComplaintAssigned,
    ComplaintClosed,
    ComplaintEscalated,
    ComplaintRegistered,
    ComplaintReopened,
    ComplaintResolved,
    FirstReplyOverdue,
    FirstReplySent,
    ResolutionConfirmed,
)

from analytics.semantics import Moment, Owner, Record

ComplaintFact = (
    ComplaintRegistered
    | ComplaintAssigned
    | ComplaintEscalated
    | FirstReplySent
    | FirstReplyOverdue
    | ComplaintResolved
    | ResolutionConfirmed
    | ComplaintReopened
    | ComplaintClosed
)


class Turn(NamedTuple):
    at: datetime
    turn: int
    kind: Literal["resolved", "confirmed", "reopened", "closed"]
    episode: int


class Reply(NamedTuple):
    at: datetime
    turn: int


@dataclass(frozen=True, slots=True)
class Complaint:
    """`told_overdue`: the desk has said that `due_at` passed without a reply; a fold has no clock."""

    turn: int = 0
    registered_at: datetime | None = None
    due_at: datetime | None = None
    channel: str = ""
    category: str | None = None
    priority: str = ""
    owners: tuple[Owner, ...] = ()
    reply: Reply | None = None
    told_overdue: bool = False
    escalations: tuple[Moment, ...] = ()
    turns: tuple[Turn, ...] = ()


BLANK = Complaint()


def key(fact: ComplaintFact) -> UUID:
    return fact.complaint_id


def project(complaint: Complaint, record: Record[ComplaintFact]) -> Complaint:
    at, turn = record.occurred_at, complaint.turn + 1
    match record.fact:
        case ComplaintRegistered() as fact:
            return replace(
                complaint,
                turn=turn,
                registered_at=at,
                due_at=fact.reply_due_at,
                channel=fact.channel,
                category=fact.category,
                priority=fact.priority,
                owners=(Owner(at, turn, fact.owner_id, fact.owner_team),),
            )
        case ComplaintAssigned() as fact:
            owner = Owner(at, turn, fact.owner_id, fact.owner_team)
            return replace(complaint, turn=turn, owners=(*complaint.owners, owner))
        case ComplaintEscalated():
            return replace(complaint, turn=turn, escalations=(*complaint.escalations, (at, turn)))
        case FirstReplySent():
            return replace(complaint, turn=turn, reply=complaint.reply or Reply(at, turn))
        case FirstReplyOverdue():
            return replace(complaint, turn=turn, told_overdue=True)
        case ComplaintResolved() as fact:
            return _turned(complaint, Turn(at, turn, "resolved", fact.episode))
        case ResolutionConfirmed() as fact:
            return _turned(complaint, Turn(at, turn, "confirmed", fact.episode))
        case ComplaintReopened() as fact:
            return _turned(complaint, Turn(at, turn, "reopened", fact.episode))
        case ComplaintClosed() as fact:
            return _turned(complaint, Turn(at, turn, "closed", fact.episode))
        case never:
            assert_never(never)


def _turned(complaint: Complaint, turn: Turn) -> Complaint:
    return replace(complaint, turn=turn.turn, turns=(*complaint.turns, turn))


def settled(complaint: Complaint) -> Moment | None:
    """When the promise of a first reply was settled: by the reply, or by a solution that came without one."""
    moments: list[Moment] = [turn[:2] for turn in complaint.turns if turn.kind == "resolved"]
    if complaint.reply is not None:
        moments.append(complaint.reply)
    return min(moments, default=None)


def is_late(complaint: Complaint) -> bool:
    """The promise was broken: it was not settled before the due time.

    The times decide. A reply that came in time but was recorded late takes the word "overdue" back; one that
    came at the due time or after it is late whether or not anyone has said so.
    """
    moment = settled(complaint)
    if moment is not None and complaint.due_at is not None:
        return moment[0] >= complaint.due_at
    return complaint.told_overdue


def is_open(complaint: Complaint) -> bool:
    """Waiting for a resolution: never resolved or closed, or reopened since."""
    return not complaint.turns or complaint.turns[-1].kind == "reopened"


def as_at(complaint: Complaint, at: datetime) -> Complaint:
    """The complaint as at a moment of the world: only what had occurred by then."""
    if complaint.registered_at is None or complaint.registered_at > at:
        return BLANK
    return replace(
        complaint,
        owners=tuple(owner for owner in complaint.owners if owner.at <= at),
        reply=complaint.reply if complaint.reply and complaint.reply.at <= at else None,
        told_overdue=is_late(complaint) and complaint.due_at is not None and complaint.due_at <= at,
        escalations=tuple(moment for moment in complaint.escalations if moment[0] <= at),
        turns=tuple(turn for turn in complaint.turns if turn.at <= at),
    )
