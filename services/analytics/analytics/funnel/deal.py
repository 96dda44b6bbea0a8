"""A deal as the funnel knows it: its stage entries, owners, amounts and outcomes, each with its time.

Nothing here depends on when a fact was heard: times are those of the occurrence, and `turn` is the fact's
place among the deal's own facts. A deal stays in the pipeline in which it was created.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, NamedTuple, assert_never
from uuid import UUID

from contracts.opportunities import (
    AmountChanged,
    OpportunityCreated,
    OpportunityLost,
    OpportunityReassigned,
    OpportunityReopened,
    OpportunityWon,
    StageEntered,
    StageEntryVoided,
)

from analytics.semantics import Owner, Record

DealFact = (
    OpportunityCreated
    | StageEntered
    | StageEntryVoided
    | AmountChanged
    | OpportunityReassigned
    | OpportunityWon
    | OpportunityLost
    | OpportunityReopened
)


class Entry(NamedTuple):
    """A step into a stage. `place` is the stage's order at that time, from 0; a void entry never counted."""

    at: datetime
    turn: int
    number: int
    stage_id: str
    place: int
    void: bool


class Amount(NamedTuple):
    """In minor units of the currency; None while nobody has said it."""

    at: datetime
    turn: int
    minor: int | None
    currency: str


class Outcome(NamedTuple):
    """`amount` is that of the closing, minor units; a reopening has none. `reason` is that of a loss."""

    at: datetime
    turn: int
    kind: Literal["won", "lost", "reopened"]
    attempt: int
    minor: int | None
    currency: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Deal:
    """The tuples are in the order in which the facts were told, which need not be that of their times."""

    turn: int = 0
    pipeline_id: UUID | None = None
    created_at: datetime | None = None
    source: str | None = None
    product: str | None = None
    owners: tuple[Owner, ...] = ()
    amounts: tuple[Amount, ...] = ()
    entries: tuple[Entry, ...] = ()
    outcomes: tuple[Outcome, ...] = ()


BLANK = Deal()


def key(fact: DealFact) -> UUID:
    return fact.opportunity_id


def project(deal: Deal, record: Record[DealFact]) -> Deal:
    at, turn = record.occurred_at, deal.turn + 1
    match record.fact:
        case StageEntered() as fact:
            entry = Entry(at, turn, fact.entry, fact.stage_id, fact.stage_order, False)
            return _told(deal, turn, entries=(*deal.entries, entry))
        case OpportunityCreated() as fact:
            return replace(
                deal,
                turn=turn,
                pipeline_id=fact.pipeline_id,
                created_at=at,
                source=fact.source,
                product=fact.product,
                owners=(Owner(at, turn, fact.owner_id, fact.owner_team),),
                amounts=(Amount(at, turn, fact.amount_minor, fact.currency),),
            )
        case AmountChanged() as fact:
            amount = Amount(at, turn, fact.amount_minor, fact.currency)
            return _told(deal, turn, amounts=(*deal.amounts, amount))
        case OpportunityReassigned() as fact:
            owner = Owner(at, turn, fact.owner_id, fact.owner_team)
            return _told(deal, turn, owners=(*deal.owners, owner))
        case OpportunityWon() as fact:
            outcome = Outcome(at, turn, "won", fact.attempt, fact.amount_minor, fact.currency, None)
            return _told(deal, turn, outcomes=(*deal.outcomes, outcome))
        case OpportunityLost() as fact:
            outcome = Outcome(at, turn, "lost", fact.attempt, fact.amount_minor, fact.currency, fact.reason)
            return _told(deal, turn, outcomes=(*deal.outcomes, outcome))
        case OpportunityReopened() as fact:
            outcome = Outcome(at, turn, "reopened", fact.attempt, None, "", None)
            return _told(deal, turn, outcomes=(*deal.outcomes, outcome))
        case StageEntryVoided() as fact:
            return _told(deal, turn, entries=tuple(_voided(e, fact.entry) for e in deal.entries))
        case never:
            assert_never(never)


def _told(
    deal: Deal,
    turn: int,
    *,
    owners: tuple[Owner, ...] | None = None,
    amounts: tuple[Amount, ...] | None = None,
    entries: tuple[Entry, ...] | None = None,
    outcomes: tuple[Outcome, ...] | None = None,
) -> Deal:
    """What most facts change. `dataclasses.replace` takes as long as all the rest of a fact's fold."""
    return Deal(
        turn,
        deal.pipeline_id,
        deal.created_at,
        deal.source,
        deal.product,
        deal.owners if owners is None else owners,
        deal.amounts if amounts is None else amounts,
        deal.entries if entries is None else entries,
        deal.outcomes if outcomes is None else outcomes,
    )


def _voided(entry: Entry, number: int) -> Entry:
    return entry._replace(void=True) if entry.number == number else entry


def as_at(deal: Deal, at: datetime) -> Deal:
    """The deal as it stood at a moment of the world: only what had occurred by then (U2, "true on that day").

    A void entry is gone at every moment, also before the click was taken back: it never counted.
    """
    if deal.created_at is None or deal.created_at > at:
        return BLANK
    return replace(
        deal,
        owners=tuple(owner for owner in deal.owners if owner.at <= at),
        amounts=tuple(amount for amount in deal.amounts if amount.at <= at),
        entries=tuple(entry for entry in deal.entries if entry.at <= at),
        outcomes=tuple(outcome for outcome in deal.outcomes if outcome.at <= at),
    )


def current_stage(deal: Deal) -> str:
    """Where the record shows the deal: the entry last told that is not void; empty before the first."""
    for entry in reversed(deal.entries):
        if not entry.void:
            return entry.stage_id
    return ""


def closing(deal: Deal) -> Outcome | None:
    """The closing that stands: None while the deal is open, also after a reopening."""
    if deal.outcomes and deal.outcomes[-1].kind != "reopened":
        return deal.outcomes[-1]
    return None
