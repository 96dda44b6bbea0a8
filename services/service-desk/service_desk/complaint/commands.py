"""What one can ask of a complaint; `at` is when it happened, where the promised reply is measured by it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kernel.domain.personal import Personal


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterComplaint:
    customer_id: UUID
    person_id: UUID | None = None
    subject: Personal[str]
    description: Personal[str]
    channel: str
    category: str | None = None
    priority: str = "normal"
    owner_id: UUID | None = None
    owner_team: str | None = None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignComplaint:
    owner_id: UUID | None
    owner_team: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalateComplaint:
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendFirstReply:
    """`text` is None where the reply was given elsewhere, on the phone for one."""

    text: Personal[str]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteReplyOverdue:
    """Sent by the timer with `at` = the due time."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveComplaint:
    solution: Personal[str]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmResolution:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ReopenComplaint:
    reason: Personal[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseComplaint:
    pass


ComplaintCommand = (
    RegisterComplaint
    | AssignComplaint
    | EscalateComplaint
    | SendFirstReply
    | NoteReplyOverdue
    | ResolveComplaint
    | ConfirmResolution
    | ReopenComplaint
    | CloseComplaint
)
