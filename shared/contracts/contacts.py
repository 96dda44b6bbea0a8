"""What the contacts service tells: the published facts about customers. Ids only, never a name.

Names of classes and fields are promises to subscribers; they change by addition alone.
"""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanyRegistered:
    company_id: UUID
    industry: str | None
    country: str | None
    employees: int | None
    source: str | None
    owner_id: UUID | None
    owner_team: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanyCorrected:
    company_id: UUID
    industry: str | None
    country: str | None
    employees: int | None
    source: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanyOwnerSet:
    company_id: UUID
    owner_id: UUID | None
    owner_team: str | None
    previous_owner_id: UUID | None
    previous_owner_team: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactRegistered:
    contact_id: UUID
    company_id: UUID | None
    source: str | None
    owner_id: UUID | None
    owner_team: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactCorrected:
    """Told of every correction, also of a name: whoever keeps a copy asks for it again."""

    contact_id: UUID
    source: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactLinked:
    """`company_id` is None when the contact left its company."""

    contact_id: UUID
    company_id: UUID | None
    previous_company_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactOwnerSet:
    contact_id: UUID
    owner_id: UUID | None
    owner_team: str | None
    previous_owner_id: UUID | None
    previous_owner_team: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonErased:
    """The person's key is destroyed: whoever holds a copy of a name drops it now."""

    person_id: UUID


ContactsContract = (
    CompanyRegistered
    | CompanyCorrected
    | CompanyOwnerSet
    | ContactRegistered
    | ContactCorrected
    | ContactLinked
    | ContactOwnerSet
    | PersonErased
)
