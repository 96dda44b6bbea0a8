"""The directory of contacts: what a list shows and is searched by; nothing personal of whoever was erased."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from kernel.storage.views import AnyRecorded, PersonColumns, Row, Rows
from kernel.web.fields import Searched
from kernel.web.paging import ListQuery
from pydantic import BaseModel, Field
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    Text,
    Uuid,
)

from contacts.contact.events import (
    ContactCorrected,
    ContactLinked,
    ContactOwnerSet,
    ContactRegistered,
    PersonErased,
)
from contacts.tables import metadata

PERSONAL = ("name", "email", "phone", "search")


def project(row: Row | None, event: AnyRecorded) -> Row | None:
    match event.fact:
        case ContactRegistered() as fact:
            first = {
                "id": event.stream_id,
                "company_id": fact.company_id,
                "erased": False,
                "created_at": event.occurred_at,
            }
            return first | described(fact) | owned(fact) | stamped(event)
        case ContactCorrected() as fact if row:
            return {**row, **described(fact), **stamped(event)}
        case ContactLinked() as fact if row:
            return {**row, "company_id": fact.company_id, **stamped(event)}
        case ContactOwnerSet() as fact if row:
            return {**row, **owned(fact), **stamped(event)}
        case PersonErased() if row:
            return {**row, **dict.fromkeys(PERSONAL), "erased": True, **stamped(event)}
    return row


def described(fact: ContactRegistered | ContactCorrected) -> dict[str, Any]:
    return {
        "name": fact.name,
        "email": fact.email,
        "phone": fact.phone,
        "search": searched(fact),
        "job": fact.position,
        "decision_role": fact.decision_role,
    }


def searched(fact: ContactRegistered | ContactCorrected) -> str | None:
    """Name, e-mail and phone on a line each; the phone also as bare digits, however it was typed."""
    digits = "".join(filter(str.isdigit, fact.phone or ""))
    said = [value for value in (fact.name, fact.email, fact.phone, digits) if value]
    return "\n".join(said).casefold() or None


def owned(fact: ContactRegistered | ContactOwnerSet) -> dict[str, Any]:
    return {"owner_id": fact.owner_id, "owner_team": fact.owner_team}


def stamped(event: AnyRecorded) -> dict[str, Any]:
    return {"version": event.version, "position": event.position, "updated_at": event.recorded_at}


directory = Rows(
    "contact_directory",
    columns=(
        Column("id", Uuid, primary_key=True),
        Column("name", Text),
        Column("email", Text),
        Column("phone", Text),
        Column("search", Text),
        Column("job", Text),
        Column("decision_role", Text),
        Column("company_id", Uuid),
        Column("owner_id", Uuid),
        Column("owner_team", Text),
        Column("erased", Boolean, nullable=False),
        Column("version", Integer, nullable=False),
        Column("position", BigInteger, nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False),
        Column("updated_at", DateTime(timezone=True), nullable=False),
    ),
    indexes=(
        Index(None, "created_at", "id"),
        Index(None, "updated_at", "id"),
        Index(None, "company_id"),
        Index(None, "owner_id"),
    ),
    person=PersonColumns(key="id", blank=PERSONAL),
    project=project,
).attach(metadata)


class ContactListQuery(ListQuery):
    """Not sorted by name: an erased contact has none, and a place in a list needs one."""

    sort: Literal["created_at", "-created_at", "updated_at", "-updated_at"] = "-created_at"
    q: Searched | None = Field(None, description="a part of the name, e-mail or phone")
    company_id: UUID | None = Field(None, description="the contacts of one company")
    owner_id: UUID | None = None
    erased: bool = Field(False, description="true lists those who were erased, without anything personal")


# As the words are stored for the search.
FILTERS = {"q": "strpos(search, {}) > 0"}


class ContactItem(BaseModel):
    id: UUID
    etag: str
    name: str | None
    email: str | None
    phone: str | None
    position: str | None
    decision_role: str | None
    company_id: UUID | None
    owner_id: UUID | None
    owner_team: str | None
    erased: bool
    created_at: datetime
    updated_at: datetime


def job(row: Row) -> Mapping[str, Any]:
    """The row's own `position` is its place in the log."""
    return {"position": row["job"]}
