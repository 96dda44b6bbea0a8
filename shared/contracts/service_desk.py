"""What the service desk tells: complaints from the first word to the confirmed end. No word of their text.

Names of classes and fields are promises to subscribers; they change by addition alone.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyPolicyDefined:
    """Hours to the first reply, by priority; a priority that is not named takes `default_hours`."""

    policy_id: UUID
    policy_version: int
    default_hours: int
    hours: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplaintRegistered:
    """About a customer, by a person (if known); `reply_due_at` follows from the named policy version."""

    complaint_id: UUID
    customer_id: UUID
    person_id: UUID | None
    channel: str
    category: str | None
    priority: str
    owner_id: UUID | None
    owner_team: str | None
    reply_due_at: datetime
    policy_id: UUID
    policy_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplaintAssigned:
    complaint_id: UUID
    owner_id: UUID | None
    owner_team: str | None
    previous_owner_id: UUID | None
    previous_owner_team: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplaintEscalated:
    complaint_id: UUID
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstReplySent:
    complaint_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstReplyOverdue:
    """The promised first reply did not come by `due_at`; told once per complaint."""

    complaint_id: UUID
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplaintResolved:
    """`episode` counts from 1 and rises with each reopening."""

    complaint_id: UUID
    episode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolutionConfirmed:
    complaint_id: UUID
    episode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplaintReopened:
    complaint_id: UUID
    episode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplaintClosed:
    complaint_id: UUID
    episode: int


ServiceDeskContract = (
    ReplyPolicyDefined
    | ComplaintRegistered
    | ComplaintAssigned
    | ComplaintEscalated
    | FirstReplySent
    | FirstReplyOverdue
    | ComplaintResolved
    | ResolutionConfirmed
    | ComplaintReopened
    | ComplaintClosed
)
