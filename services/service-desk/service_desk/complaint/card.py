"""What a client is shown of one complaint, made from its facts: the rules keep less than people want to read."""

from datetime import datetime
from typing import Any, assert_never
from uuid import UUID

from kernel.domain.recorded import Recorded
from kernel.storage.aggregate import Handled
from pydantic import BaseModel, Field

from service_desk.complaint.decider import Complaint
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

# What settles the promise of a first reply.
ANSWERS = (FirstReplySent, ComplaintResolved)


class ComplaintOut(BaseModel):
    """Its words (subject, description, reply, solution, reason) are null once their person was erased."""

    id: UUID
    version: int
    status: str = Field(description="open, resolved, confirmed or closed; more may come")
    episode: int = Field(description="counts from 1 and rises with each reopening")
    customer_id: UUID
    person_id: UUID | None
    subject: str | None
    description: str | None
    channel: str
    category: str | None
    priority: str
    owner_id: UUID | None
    owner_team: str | None
    opened_at: datetime
    policy_version: int
    reply_due_at: datetime
    reply_missed: bool = Field(False, description="no reply or solution came in time")
    overdue: bool = Field(False, description="it is late and still owed")
    escalated_at: datetime | None = None
    escalation_reason: str | None = None
    replied_at: datetime | None = None
    reply: str | None = None
    resolved_at: datetime | None = None
    solution: str | None = None
    confirmed_at: datetime | None = None
    reopened_at: datetime | None = None
    reopening_reason: str | None = None
    closed_at: datetime | None = None

    @classmethod
    def of(cls, handled: Handled[Complaint, ComplaintEvent]) -> "ComplaintOut":
        state = handled.state
        said: dict[str, Any] = {}
        for event in handled.facts:
            said |= shown(event)
        answers = [event.occurred_at for event in handled.facts if isinstance(event.fact, ANSWERS)]
        if answers:
            # As for analytics, the times decide: what was told late may have come in time.
            said["reply_missed"] = min(answers) >= said["reply_due_at"]
        return cls(
            id=handled.stream_id,
            version=handled.version,
            status=state.status.name.lower(),
            episode=state.episode,
            owner_id=state.owner_id,
            owner_team=state.owner_team,
            **said,
        )


def shown(event: Recorded[ComplaintEvent]) -> dict[str, Any]:
    """What a fact changes of the card; a reopening takes back the end that had come."""
    match event.fact:
        case ComplaintRegistered() as fact:
            return {**promised(fact), "opened_at": event.occurred_at}
        case FirstReplyOverdue():
            return {"reply_missed": True, "overdue": True}
        case ComplaintEscalated() as fact:
            return {"escalated_at": event.occurred_at, "escalation_reason": fact.reason}
        case FirstReplySent() as fact:
            return {"replied_at": event.occurred_at, "reply": fact.text, "overdue": False}
        case ComplaintResolved() as fact:
            return {"resolved_at": event.occurred_at, "solution": fact.solution, "overdue": False}
        case ResolutionConfirmed():
            return {"confirmed_at": event.occurred_at}
        case ComplaintReopened() as fact:
            ended = dict.fromkeys(
                (
                    "resolved_at",
                    "solution",
                    "confirmed_at",
                    "closed_at",
                    "escalated_at",
                    "escalation_reason",
                )
            )
            return {**ended, "reopened_at": event.occurred_at, "reopening_reason": fact.reason}
        case ComplaintClosed():
            return {"closed_at": event.occurred_at}
        case ComplaintAssigned():
            return {}
        case _:
            assert_never(event.fact)


def promised(fact: ComplaintRegistered) -> dict[str, Any]:
    return {
        "customer_id": fact.customer_id,
        "person_id": fact.person_id,
        "subject": fact.subject,
        "description": fact.description,
        "channel": fact.channel,
        "category": fact.category,
        "priority": fact.priority,
        "reply_due_at": fact.reply_due_at,
        "policy_version": fact.policy_version,
    }
