"""What one can ask of a contact."""

from dataclasses import dataclass
from uuid import UUID

from kernel.domain.personal import Personal


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterContact:
    name: Personal[str]
    email: Personal[str] = None
    phone: Personal[str] = None
    address: Personal[str] = None
    note: Personal[str] = None
    position: str | None = None
    decision_role: str | None = None
    preferred_channel: str | None = None
    source: str | None = None
    company_id: UUID | None = None
    owner_id: UUID | None = None
    owner_team: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectContact:
    """A full profile, so no field has a default: one left out by mistake would be emptied."""

    name: Personal[str]
    email: Personal[str]
    phone: Personal[str]
    address: Personal[str]
    note: Personal[str]
    position: str | None
    decision_role: str | None
    preferred_channel: str | None
    source: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkContact:
    """None takes the contact out of its company."""

    company_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetContactOwner:
    owner_id: UUID | None
    owner_team: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasePerson:
    reason: str


ContactCommand = RegisterContact | CorrectContact | LinkContact | SetContactOwner | ErasePerson
