"""Companies over HTTP: register, correct, set owner; read, list, timeline."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter
from kernel.storage.aggregate import Handled
from kernel.web.commands import CommandBody, CreationBody, Operation, route
from kernel.web.fields import Count, MoneyField, Name, OneLine, Slug
from kernel.web.paging import ListRead
from kernel.web.problems import register
from kernel.web.reads import RecordRead, TimelineRead, show
from pydantic import BaseModel, Field

from contacts.company.aggregate import company
from contacts.company.commands import CorrectCompany, RegisterCompany, SetCompanyOwner
from contacts.company.decider import Company
from contacts.company.events import CompanyEvent
from contacts.company.views.directory import FILTERS, CompanyItem, CompanyListQuery, directory
from contacts.problems import PROBLEMS

# Before the routes: each documents the problems that are registered when it is made.
register(PROBLEMS)
router = APIRouter(tags=["companies"])


class Profile(CommandBody):
    name: Name = Field(examples=["长安机械 Chang'an Machinery"])
    registration_number: OneLine | None = Field(None, examples=["91610000MA6TYQ0X3R"])
    external_ref: OneLine | None = None
    industry: Slug | None = Field(None, examples=["machinery"])
    country: OneLine | None = Field(None, examples=["CN"])
    employees: Count | None = None
    annual_revenue: MoneyField | None = None
    founded: int | None = Field(None, ge=1, le=9999)
    source: Slug | None = Field(None, examples=["fair"])
    parent_company_id: UUID | None = None


class Registration(Profile, CreationBody):
    owner_id: UUID | None = None
    owner_team: OneLine | None = None

    def command(self) -> RegisterCompany:
        return RegisterCompany(**profile(self), owner_id=self.owner_id, owner_team=self.owner_team)


class Correction(Profile):
    def command(self) -> CorrectCompany:
        return CorrectCompany(**profile(self))


class Ownership(CommandBody):
    owner_id: UUID | None = Field(examples=["01920000-0000-7000-8000-00000000e001"])
    owner_team: OneLine | None = Field(examples=["east"])

    def command(self) -> SetCompanyOwner:
        return SetCompanyOwner(owner_id=self.owner_id, owner_team=self.owner_team)


class CompanyOut(BaseModel):
    id: UUID
    version: int
    name: str
    registration_number: str | None
    external_ref: str | None
    industry: str | None
    country: str | None
    employees: int | None
    annual_revenue: MoneyField | None
    founded: int | None
    source: str | None
    parent_company_id: UUID | None
    owner_id: UUID | None
    owner_team: str | None

    @classmethod
    def of(cls, handled: Handled[Company, CompanyEvent]) -> "CompanyOut":
        state = handled.state
        return cls(
            id=handled.stream_id,
            version=handled.version,
            name=state.name,
            registration_number=state.registration_number,
            external_ref=state.external_ref,
            industry=state.industry,
            country=state.country,
            employees=state.employees,
            annual_revenue=MoneyField.of(state.annual_revenue),
            founded=state.founded,
            source=state.source,
            parent_company_id=state.parent_company_id,
            owner_id=state.owner_id,
            owner_team=state.owner_team,
        )


_PROFILE = tuple(name for name in Profile.model_fields if name != "occurred_at")


def profile(body: Profile) -> dict[str, Any]:
    """The descriptive fields, as both commands take them."""
    said = {name: getattr(body, name) for name in _PROFILE}
    said["annual_revenue"] = body.annual_revenue.money() if body.annual_revenue else None
    return said


operations = route(
    router,
    [
        Operation(
            id="companies.register",
            path="/v1/companies",
            aggregate=company,
            body=Registration,
            answer=CompanyOut.of,
            model=CompanyOut,
            summary="Register a company",
            creates=True,
        ),
        Operation(
            id="companies.correct",
            path="/v1/companies/{id}",
            method="PUT",
            aggregate=company,
            body=Correction,
            answer=CompanyOut.of,
            model=CompanyOut,
            summary="Correct a company's profile",
            if_match=True,
        ),
        Operation(
            id="companies.set-owner",
            path="/v1/companies/{id}/owner",
            aggregate=company,
            body=Ownership,
            answer=CompanyOut.of,
            model=CompanyOut,
            summary="Set who owns a company",
            if_match=True,
        ),
    ],
)


reads = show(
    router,
    [
        ListRead(
            id="companies.list",
            path="/v1/companies",
            category=company.category,
            view=directory,
            query=CompanyListQuery,
            item=CompanyItem,
            conditions=FILTERS,
            summary="List and search companies",
        ),
        RecordRead(
            id="companies.read",
            path="/v1/companies/{id}",
            aggregate=company,
            of=CompanyOut.of,
            model=CompanyOut,
            summary="Read a company",
        ),
        TimelineRead(
            id="companies.timeline",
            path="/v1/companies/{id}/timeline",
            aggregate=company,
            summary="Everything that happened to a company",
        ),
    ],
)
