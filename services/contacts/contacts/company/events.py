"""What can happen to a company; its name is a firm's, not a person's, and stays readable."""

from dataclasses import dataclass
from uuid import UUID

from kernel.domain.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanyRegistered:
    """`source` says where the company was first heard of; `founded` is a year."""

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
    owner_id: UUID | None
    owner_team: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanyCorrected:
    """The whole profile as it is now and as it was before."""

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
    previous_name: str
    previous_registration_number: str | None
    previous_external_ref: str | None
    previous_industry: str | None
    previous_country: str | None
    previous_employees: int | None
    previous_annual_revenue: Money | None
    previous_founded: int | None
    previous_source: str | None
    previous_parent_company_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanyOwnerSet:
    owner_id: UUID | None
    owner_team: str | None
    previous_owner_id: UUID | None
    previous_owner_team: str | None


# The log keeps these names for ever: a class or field is renamed by an upcast, never in place.
CompanyEvent = CompanyRegistered | CompanyCorrected | CompanyOwnerSet
