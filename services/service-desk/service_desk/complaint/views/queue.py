"""The queue: what is open and by when a first reply was promised; a complaint's words leave with their person."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from kernel.storage.views import AnyRecorded, PersonColumns, Row, Rows
from kernel.web.fields import Slug
from kernel.web.paging import ListQuery
from pydantic import BaseModel, Field
from sqlalchemy import BigInteger, Boolean, Column, DateTime, Index, Integer, Text, Uuid

from service_desk.complaint.events import (
    ComplaintAssigned,
    ComplaintClosed,
    ComplaintEscalated,
    ComplaintRegistered,
    ComplaintReopened,
    ComplaintResolved,
    FirstReplyOverdue,
    FirstReplySent,
    ResolutionConfirmed,
)
from service_desk.tables import metadata


def project(row: Row | None, event: AnyRecorded) -> Row | None:
    if isinstance(event.fact, ComplaintRegistered):
        return registered(event, event.fact)
    return None if row is None else {**row, **changed(event), **stamped(event)}


def registered(event: AnyRecorded, fact: ComplaintRegistered) -> Row:
    said = {
        name: getattr(fact, name)
        for name in (
            "customer_id",
            "person_id",
            "subject",
            "channel",
            "category",
            "priority",
            "owner_id",
            "owner_team",
            "reply_due_at",
        )
    }
    return {
        "id": event.stream_id,
        **said,
        # Whose key the words are sealed with: the one who complained or, unnamed, the complaint itself.
        "sealed_for": fact.person_id or event.stream_id,
        "status": "open",
        "escalated": False,
        "replied": False,
        "overdue": False,
        "created_at": event.occurred_at,
        **stamped(event),
    }


def changed(event: AnyRecorded) -> dict[str, Any]:
    match event.fact:
        case ComplaintAssigned() as fact:
            return {"owner_id": fact.owner_id, "owner_team": fact.owner_team}
        case ComplaintEscalated():
            return {"escalated": True}
        case FirstReplySent():
            return {"replied": True, "overdue": False}
        case FirstReplyOverdue():
            return {"overdue": True}
        case ComplaintResolved():
            # A solution settles the promised reply too.
            return {"status": "resolved", "overdue": False}
        case ResolutionConfirmed():
            return {"status": "confirmed"}
        case ComplaintReopened():
            return {"status": "open", "escalated": False}
        case ComplaintClosed():
            return {"status": "closed"}
    return {}


def stamped(event: AnyRecorded) -> dict[str, Any]:
    return {"version": event.version, "position": event.position, "updated_at": event.recorded_at}


queue = Rows(
    "complaint_queue",
    columns=(
        Column("id", Uuid, primary_key=True),
        Column("customer_id", Uuid, nullable=False),
        Column("person_id", Uuid),
        Column("sealed_for", Uuid, nullable=False),
        Column("subject", Text),
        Column("channel", Text, nullable=False),
        Column("category", Text),
        Column("priority", Text, nullable=False),
        Column("status", Text, nullable=False),
        Column("owner_id", Uuid),
        Column("owner_team", Text),
        Column("reply_due_at", DateTime(timezone=True), nullable=False),
        Column("escalated", Boolean, nullable=False),
        Column("replied", Boolean, nullable=False),
        Column("overdue", Boolean, nullable=False),
        Column("version", Integer, nullable=False),
        Column("position", BigInteger, nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False),
        Column("updated_at", DateTime(timezone=True), nullable=False),
    ),
    indexes=(
        # None without the status: a plan made for any status would prefer it, and read past all that is resolved.
        Index(None, "status", "reply_due_at", "id"),
        Index(None, "created_at", "id"),
        Index(None, "updated_at", "id"),
        Index(None, "owner_id"),
        Index(None, "customer_id"),
        Index(None, "sealed_for"),
    ),
    person=PersonColumns(key="sealed_for", blank=("subject",)),
    project=project,
).attach(metadata)


class QueueQuery(ListQuery):
    sort: Literal[
        "reply_due_at", "-reply_due_at", "created_at", "-created_at", "updated_at", "-updated_at"
    ] = "reply_due_at"
    status: Literal["open", "resolved", "confirmed", "closed", "any"] = "open"
    priority: Slug | None = None
    owner_id: UUID | None = None
    customer_id: UUID | None = None
    escalated: bool | None = None
    overdue: bool | None = Field(None, description="whether a promised first reply is late and still owed")

    def filters(self) -> dict[str, Any]:
        found = super().filters()
        if self.status == "any":
            del found["status"]
        return found


class QueueItem(BaseModel):
    """`overdue`: the promised first reply is late and still owed. `subject` is null once its person was erased."""

    id: UUID
    etag: str
    customer_id: UUID
    person_id: UUID | None
    subject: str | None
    channel: str
    category: str | None
    priority: str
    status: str
    owner_id: UUID | None
    owner_team: str | None
    reply_due_at: datetime
    escalated: bool
    replied: bool
    overdue: bool
    created_at: datetime
    updated_at: datetime
