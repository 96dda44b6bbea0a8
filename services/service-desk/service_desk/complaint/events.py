"""What can happen to a complaint. Words are sealed with the key of `person_id`, the one who complained."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kernel.domain.personal import Personal


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplaintRegistered:
    """`reply_due_at` follows from the named version of the reply policy and never moves."""

    customer_id: UUID
    person_id: UUID | None
    subject: Personal[str]
    description: Personal[str]
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
    owner_id: UUID | None
    owner_team: str | None
    previous_owner_id: UUID | None
    previous_owner_team: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplaintEscalated:
    """Passed up, because it is more than the desk can settle; `reason` is a slug of an open list."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstReplySent:
    person_id: UUID | None
    text: Personal[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstReplyOverdue:
    """The promised first reply did not come by `due_at`; told once per complaint."""

    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplaintResolved:
    """`episode` counts from 1 and rises with each reopening."""

    person_id: UUID | None
    episode: int
    solution: Personal[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolutionConfirmed:
    """The customer says that it is solved."""

    episode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplaintReopened:
    """`episode` is the one that begins."""

    person_id: UUID | None
    episode: int
    reason: Personal[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplaintClosed:
    episode: int


# The log keeps these names for ever: a class or field is renamed by an upcast, never in place.
ComplaintEvent = (
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
