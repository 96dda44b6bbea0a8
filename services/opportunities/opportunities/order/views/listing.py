"""The list of orders: whose, how much, and whether it still stands."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from kernel.storage.views import AnyRecorded, Row, Rows
from kernel.web.fields import MoneyField
from kernel.web.paging import ListQuery
from pydantic import BaseModel
from sqlalchemy import BigInteger, Column, DateTime, Index, Integer, Text, Uuid

from opportunities.fields import priced
from opportunities.order.events import OrderCancelled, OrderPlaced
from opportunities.tables import metadata


def project(row: Row | None, event: AnyRecorded) -> Row | None:
    match event.fact:
        case OrderPlaced() as fact:
            return {
                "id": event.stream_id,
                "status": "placed",
                "customer_id": fact.customer_id,
                "opportunity_id": fact.opportunity_id,
                "owner_id": fact.owner_id,
                "owner_team": fact.owner_team,
                "currency": fact.currency,
                "total_minor": fact.total_minor,
                "created_at": event.occurred_at,
            } | stamped(event)
        case OrderCancelled() if row:
            return {**row, "status": "cancelled", **stamped(event)}
    return row


def stamped(event: AnyRecorded) -> dict[str, Any]:
    return {"version": event.version, "position": event.position, "updated_at": event.recorded_at}


listing = Rows(
    "order_listing",
    columns=(
        Column("id", Uuid, primary_key=True),
        Column("status", Text, nullable=False),
        Column("customer_id", Uuid, nullable=False),
        Column("opportunity_id", Uuid),
        Column("owner_id", Uuid),
        Column("owner_team", Text),
        Column("currency", Text, nullable=False),
        Column("total_minor", BigInteger, nullable=False),
        Column("version", Integer, nullable=False),
        Column("position", BigInteger, nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False),
        Column("updated_at", DateTime(timezone=True), nullable=False),
    ),
    indexes=(
        Index(None, "created_at", "id"),
        Index(None, "updated_at", "id"),
        Index(None, "customer_id"),
        Index(None, "opportunity_id"),
        Index(None, "owner_id"),
    ),
    project=project,
).attach(metadata)


class OrderListQuery(ListQuery):
    sort: Literal["created_at", "-created_at", "updated_at", "-updated_at"] = "-created_at"
    status: Literal["placed", "cancelled"] | None = None
    customer_id: UUID | None = None
    opportunity_id: UUID | None = None
    owner_id: UUID | None = None


class OrderItem(BaseModel):
    id: UUID
    etag: str
    status: str
    customer_id: UUID
    opportunity_id: UUID | None
    owner_id: UUID | None
    owner_team: str | None
    currency: str
    total: MoneyField
    created_at: datetime
    updated_at: datetime


def total(row: Row) -> Mapping[str, Any]:
    return {"total": priced(row["total_minor"], row["currency"])}
