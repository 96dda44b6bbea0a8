"""What one can ask of a company."""

from dataclasses import dataclass
from uuid import UUID

from kernel.domain.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterCompany:
    name: str
    registration_number: str | None = None
    external_ref: str | None = None
    industry: str | None = None
    country: str | None = None
    employees: int | None = None
    annual_revenue: Money | None = None
    founded: int | None = None
    source: str | None = None
    parent_company_id: UUID | None = None
    owner_id: UUID | None = None
    owner_team: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectCompany:
    """A full profile, so no field has a default: one left out by mistake would be emptied."""

    name: str
    registration_number: str | None
    external_ref: str | None
    industry: str | None
    country: str | None
    employees: int | None
    annual_revenue: Money | None
    founded: int | None
    source: str | None
    parent_company_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetCompanyOwner:
    owner_id: UUID | None
    owner_team: str | None


CompanyCommand = RegisterCompany | CorrectCompany | SetCompanyOwner
