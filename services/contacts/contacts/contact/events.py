"""What can happen to a contact. The stream's id is the person's id: the key of every personal field here."""

from dataclasses import dataclass
from uuid import UUID

from kernel.domain.personal import Personal


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactRegistered:
    """`decision_role` is the person's part in the customer's decisions: decider, champion, user."""

    name: Personal[str]
    email: Personal[str]
    phone: Personal[str]
    address: Personal[str]
    note: Personal[str]
    position: str | None
    decision_role: str | None
    preferred_channel: str | None
    source: str | None
    company_id: UUID | None
    owner_id: UUID | None
    owner_team: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactCorrected:
    """The whole profile as it is now and as it was before."""

    name: Personal[str]
    email: Personal[str]
    phone: Personal[str]
    address: Personal[str]
    note: Personal[str]
    position: str | None
    decision_role: str | None
    preferred_channel: str | None
    source: str | None
    previous_name: Personal[str]
    previous_email: Personal[str]
    previous_phone: Personal[str]
    previous_address: Personal[str]
    previous_note: Personal[str]
    previous_position: str | None
    previous_decision_role: str | None
    previous_preferred_channel: str | None
    previous_source: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactLinked:
    """`company_id` is None when the contact left its company."""

    company_id: UUID | None
    previous_company_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactOwnerSet:
    owner_id: UUID | None
    owner_team: str | None
    previous_owner_id: UUID | None
    previous_owner_team: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonErased:
    """The person's key is destroyed with this fact; `reason` is a slug and never names anyone."""

    reason: str


# The log keeps these names for ever: a class or field is renamed by an upcast, never in place.
ContactEvent = ContactRegistered | ContactCorrected | ContactLinked | ContactOwnerSet | PersonErased
