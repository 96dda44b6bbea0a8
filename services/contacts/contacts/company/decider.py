"""The rules of a company: registered once, corrected as a whole, owned by at most one person and team."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import assert_never
from uuid import UUID

from kernel.domain.decider import Decider
from kernel.domain.errors import Conflict, NotFound
from kernel.domain.money import Money

from contacts.company.commands import CompanyCommand, CorrectCompany, RegisterCompany, SetCompanyOwner
from contacts.company.events import CompanyCorrected, CompanyEvent, CompanyOwnerSet, CompanyRegistered


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """The whole profile, because a correction is compared with it."""

    registered: bool = False
    name: str = ""
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


def decide(company: Company, command: CompanyCommand) -> Sequence[CompanyEvent]:
    match command:
        case RegisterCompany():
            return register(company, command)
        case CorrectCompany():
            return correct(company, command)
        case SetCompanyOwner():
            return set_owner(company, command)
        case _:
            assert_never(command)


def evolve(company: Company, event: CompanyEvent) -> Company:
    match event:
        case CompanyRegistered():
            return Company(
                registered=True,
                name=event.name,
                registration_number=event.registration_number,
                external_ref=event.external_ref,
                industry=event.industry,
                country=event.country,
                employees=event.employees,
                annual_revenue=event.annual_revenue,
                founded=event.founded,
                source=event.source,
                parent_company_id=event.parent_company_id,
                owner_id=event.owner_id,
                owner_team=event.owner_team,
            )
        case CompanyCorrected():
            return described(company, event)
        case CompanyOwnerSet():
            return replace(company, owner_id=event.owner_id, owner_team=event.owner_team)
        case _:
            assert_never(event)


def register(company: Company, command: RegisterCompany) -> Sequence[CompanyEvent]:
    must_be_new(company)
    return [
        CompanyRegistered(
            name=command.name,
            registration_number=command.registration_number,
            external_ref=command.external_ref,
            industry=command.industry,
            country=command.country,
            employees=command.employees,
            annual_revenue=command.annual_revenue,
            founded=command.founded,
            source=command.source,
            parent_company_id=command.parent_company_id,
            owner_id=command.owner_id,
            owner_team=command.owner_team,
        )
    ]


def correct(company: Company, command: CorrectCompany) -> Sequence[CompanyEvent]:
    must_exist(company)
    if described(company, command) == company:
        return []
    return [
        CompanyCorrected(
            name=command.name,
            registration_number=command.registration_number,
            external_ref=command.external_ref,
            industry=command.industry,
            country=command.country,
            employees=command.employees,
            annual_revenue=command.annual_revenue,
            founded=command.founded,
            source=command.source,
            parent_company_id=command.parent_company_id,
            previous_name=company.name,
            previous_registration_number=company.registration_number,
            previous_external_ref=company.external_ref,
            previous_industry=company.industry,
            previous_country=company.country,
            previous_employees=company.employees,
            previous_annual_revenue=company.annual_revenue,
            previous_founded=company.founded,
            previous_source=company.source,
            previous_parent_company_id=company.parent_company_id,
        )
    ]


def set_owner(company: Company, command: SetCompanyOwner) -> Sequence[CompanyEvent]:
    must_exist(company)
    if (company.owner_id, company.owner_team) == (command.owner_id, command.owner_team):
        return []
    return [
        CompanyOwnerSet(
            owner_id=command.owner_id,
            owner_team=command.owner_team,
            previous_owner_id=company.owner_id,
            previous_owner_team=company.owner_team,
        )
    ]


def described(company: Company, profile: CompanyCorrected | CorrectCompany) -> Company:
    return replace(
        company,
        name=profile.name,
        registration_number=profile.registration_number,
        external_ref=profile.external_ref,
        industry=profile.industry,
        country=profile.country,
        employees=profile.employees,
        annual_revenue=profile.annual_revenue,
        founded=profile.founded,
        source=profile.source,
        parent_company_id=profile.parent_company_id,
    )


def must_be_new(company: Company) -> None:
    if company.registered:
        raise Conflict("This company is already registered.", code="COMPANY_EXISTS")


def must_exist(company: Company) -> None:
    if not company.registered:
        # In the words in which a record that the caller may not see is refused: nobody learns that there is one.
        raise NotFound("There is no such record.")


company_decider = Decider(decide=decide, evolve=evolve, initial=Company())
