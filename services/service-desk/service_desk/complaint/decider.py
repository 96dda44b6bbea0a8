"""The rules of a complaint: a first reply by its due time, a resolution, its confirmation, the end."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum, auto
from typing import assert_never
from uuid import UUID

from kernel.domain.decider import RuledDecider
from kernel.domain.errors import Conflict, NotFound

from service_desk.complaint.commands import (
    AssignComplaint,
    CloseComplaint,
    ComplaintCommand,
    ConfirmResolution,
    EscalateComplaint,
    NoteReplyOverdue,
    RegisterComplaint,
    ReopenComplaint,
    ResolveComplaint,
    SendFirstReply,
)
from service_desk.complaint.events import (
    ComplaintAssigned,
    ComplaintClosed,
    ComplaintEscalated,
    ComplaintEvent,
    ComplaintRegistered,
    ComplaintReopened,
    ComplaintResolved,
    FirstReplyOverdue,
    FirstReplySent,
    ResolutionConfirmed,
)
from service_desk.policy.decider import REPLY_POLICY_ID, ReplyPolicy


class Status(Enum):
    MISSING = auto()
    OPEN = auto()
    RESOLVED = auto()
    CONFIRMED = auto()
    CLOSED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """`reply_due_at` is there while a reply is due: not once it was sent, noted overdue or not needed."""

    status: Status = Status.MISSING
    episode: int = 1
    person_id: UUID | None = None
    owner_id: UUID | None = None
    owner_team: str | None = None
    escalated: bool = False
    replied: bool = False
    reply_due_at: datetime | None = None


def reply_deadlines(complaint: Complaint) -> dict[str, datetime]:
    return {"first_reply": complaint.reply_due_at} if complaint.reply_due_at else {}


def decide(complaint: Complaint, command: ComplaintCommand, policy: ReplyPolicy) -> Sequence[ComplaintEvent]:
    if isinstance(command, RegisterComplaint):
        return register(complaint, command, policy)
    must_exist(complaint)
    match command:
        case AssignComplaint():
            return assign(complaint, command)
        case EscalateComplaint():
            return escalate(complaint, command)
        case SendFirstReply():
            return send_first_reply(complaint, command)
        case NoteReplyOverdue():
            return missed_reply(complaint, command.at)
        case ResolveComplaint():
            return resolve(complaint, command)
        case ConfirmResolution():
            return confirm(complaint)
        case ReopenComplaint():
            return reopen(complaint, command)
        case CloseComplaint():
            return close(complaint)
        case _:
            assert_never(command)


def evolve(complaint: Complaint, event: ComplaintEvent) -> Complaint:
    match event:
        case ComplaintRegistered():
            return Complaint(
                status=Status.OPEN,
                person_id=event.person_id,
                owner_id=event.owner_id,
                owner_team=event.owner_team,
                reply_due_at=event.reply_due_at,
            )
        case ComplaintAssigned():
            return replace(complaint, owner_id=event.owner_id, owner_team=event.owner_team)
        case ComplaintEscalated():
            return replace(complaint, escalated=True)
        case FirstReplySent():
            return replace(complaint, replied=True, reply_due_at=None)
        case FirstReplyOverdue():
            return replace(complaint, reply_due_at=None)
        case ComplaintResolved():
            # A solution settles the promised reply for good: a reopened complaint is not late at once.
            return replace(complaint, status=Status.RESOLVED, reply_due_at=None)
        case ResolutionConfirmed():
            return replace(complaint, status=Status.CONFIRMED)
        case ComplaintReopened():
            return replace(complaint, status=Status.OPEN, episode=event.episode, escalated=False)
        case ComplaintClosed():
            return replace(complaint, status=Status.CLOSED)
        case _:
            assert_never(event)


def register(
    complaint: Complaint, command: RegisterComplaint, policy: ReplyPolicy
) -> Sequence[ComplaintEvent]:
    must_be_new(complaint)
    return [
        ComplaintRegistered(
            customer_id=command.customer_id,
            person_id=command.person_id,
            subject=command.subject,
            description=command.description,
            channel=command.channel,
            category=command.category,
            priority=command.priority,
            owner_id=command.owner_id,
            owner_team=command.owner_team,
            reply_due_at=command.at + policy.time_to_reply(command.priority),
            policy_id=REPLY_POLICY_ID,
            policy_version=policy.version,
        )
    ]


def assign(complaint: Complaint, command: AssignComplaint) -> Sequence[ComplaintEvent]:
    if (complaint.owner_id, complaint.owner_team) == (command.owner_id, command.owner_team):
        return []
    must_be_open(complaint)
    return [
        ComplaintAssigned(
            owner_id=command.owner_id,
            owner_team=command.owner_team,
            previous_owner_id=complaint.owner_id,
            previous_owner_team=complaint.owner_team,
        )
    ]


def escalate(complaint: Complaint, command: EscalateComplaint) -> Sequence[ComplaintEvent]:
    if complaint.escalated:
        return []
    must_be_open(complaint)
    return [ComplaintEscalated(reason=command.reason)]


def send_first_reply(complaint: Complaint, command: SendFirstReply) -> Sequence[ComplaintEvent]:
    if complaint.replied:
        return []
    must_be_open(complaint)
    sent = FirstReplySent(person_id=complaint.person_id, text=command.text)
    return [*missed_reply(complaint, command.at), sent]


def missed_reply(complaint: Complaint, at: datetime) -> Sequence[ComplaintEvent]:
    """Asked by the timer, and by whatever comes too late: no lateness is lost to a slow timer."""
    if complaint.reply_due_at is None or at < complaint.reply_due_at:
        return []
    return [FirstReplyOverdue(due_at=complaint.reply_due_at)]


def resolve(complaint: Complaint, command: ResolveComplaint) -> Sequence[ComplaintEvent]:
    if complaint.status in (Status.RESOLVED, Status.CONFIRMED):
        return []
    must_be_open(complaint)
    resolved = ComplaintResolved(
        person_id=complaint.person_id, episode=complaint.episode, solution=command.solution
    )
    return [*missed_reply(complaint, command.at), resolved]


def confirm(complaint: Complaint) -> Sequence[ComplaintEvent]:
    if complaint.status is Status.CONFIRMED:
        return []
    must_not_be_closed(complaint)
    must_be_resolved(complaint)
    return [ResolutionConfirmed(episode=complaint.episode)]


def reopen(complaint: Complaint, command: ReopenComplaint) -> Sequence[ComplaintEvent]:
    if complaint.status is Status.OPEN:
        return []
    episode = complaint.episode + 1
    return [ComplaintReopened(person_id=complaint.person_id, episode=episode, reason=command.reason)]


def close(complaint: Complaint) -> Sequence[ComplaintEvent]:
    if complaint.status is Status.CLOSED:
        return []
    must_be_resolved(complaint)
    return [ComplaintClosed(episode=complaint.episode)]


def must_be_new(complaint: Complaint) -> None:
    if complaint.status is not Status.MISSING:
        raise Conflict("This complaint is already registered.", code="COMPLAINT_EXISTS")


def must_exist(complaint: Complaint) -> None:
    if complaint.status is Status.MISSING:
        # In the words in which a record that the caller may not see is refused: nobody learns that there is one.
        raise NotFound("There is no such record.")


def must_be_open(complaint: Complaint) -> None:
    if complaint.status is not Status.OPEN:
        raise Conflict("This complaint is not open.", code="COMPLAINT_NOT_OPEN")


def must_be_resolved(complaint: Complaint) -> None:
    if complaint.status is Status.OPEN:
        raise Conflict("This complaint is not resolved yet.", code="COMPLAINT_NOT_RESOLVED")


def must_not_be_closed(complaint: Complaint) -> None:
    if complaint.status is Status.CLOSED:
        raise Conflict("This complaint is closed.", code="COMPLAINT_CLOSED")


complaint_decider = RuledDecider(decide=decide, evolve=evolve, initial=Complaint())
