"""The directory of companies: what a list shows and is searched by."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from kernel.storage.views import AnyRecorded, Row, Rows
from kernel.web.fields import OneLine, Searched, Slug
from kernel.web.paging import ListQuery
from pydantic import BaseModel, Field
from sqlalchemy import BigInteger, Column, DateTime, Index, Integer, Text, Uuid

from contacts.company.events import CompanyCorrected, CompanyOwnerSet, CompanyRegistered
from contacts.tables import metadata


def project(row: Row | None, event: AnyRecorded) -> Row | None:
    match event.fact:
        case CompanyRegistered() as fact:
            first = {"id": event.stream_id, "created_at": event.occurred_at}
            return first | described(fact) | owned(fact) | stamped(event)
        case CompanyCorrected() as fact if row:
            return {**row, **described(fact), **stamped(event)}
        case CompanyOwnerSet() as fact if row:
            return {**row, **owned(fact), **stamped(event)}
    return row


def described(fact: CompanyRegistered | CompanyCorrected) -> dict[str, Any]:
    return {
        "name": fact.name,
        "search": fact.name.casefold(),
        "industry": fact.industry,
        "country": fact.country,
        "employees": fact.employees,
        "external_ref": fact.external_ref,
    }


def owned(fact: CompanyRegistered | CompanyOwnerSet) -> dict[str, Any]:
    return {"owner_id": fact.owner_id, "owner_team": fact.owner_team}


def stamped(event: AnyRecorded) -> dict[str, Any]:
    return {"version": event.version, "position": event.position, "updated_at": event.recorded_at}


directory = Rows(
    "company_directory",
    columns=(
        Column("id", Uuid, primary_key=True),
        Column("name", Text, nullable=False),
        Column("search", Text, nullable=False),
        Column("industry", Text),
        Column("country", Text),
        Column("employees", Integer),
        Column("external_ref", Text),
        Column("owner_id", Uuid),
        Column("owner_team", Text),
        Column("version", Integer, nullable=False),
        Column("position", BigInteger, nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False),
        Column("updated_at", DateTime(timezone=True), nullable=False),
    ),
    indexes=(
        Index(None, "name", "id"),
        Index(None, "created_at", "id"),
        Index(None, "updated_at", "id"),
        Index(None, "industry"),
        Index(None, "country"),
        Index(None, "owner_id"),
    ),
    project=project,
).attach(metadata)


class CompanyListQuery(ListQuery):
    sort: Literal["name", "-name", "created_at", "-created_at", "updated_at", "-updated_at"] = "name"
    q: Searched | None = Field(None, description="a part of the name")
    industry: Slug | None = None
    country: OneLine | None = None
    owner_id: UUID | None = None


# As the names are stored for the search.
FILTERS = {"q": "strpos(search, {}) > 0"}


class CompanyItem(BaseModel):
    id: UUID
    etag: str
    name: str
    industry: str | None
    country: str | None
    employees: int | None
    external_ref: str | None
    owner_id: UUID | None
    owner_team: str | None
    created_at: datetime
    updated_at: datetime
