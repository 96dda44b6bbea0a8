"""The deals as a pipeline screen shows them: stage, status, amount, owner, expected close, customer.

`entries` are the stage entries that count, oldest first: voiding the last one puts the deal back where it was.
"""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from kernel.storage.views import AnyRecorded, PersonColumns, Row, Rows
from sqlalchemy import BigInteger, Column, DateTime, Index, Integer, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from opportunities.opportunity.events import (
    AmountChanged,
    ExpectedCloseChanged,
    OpportunityCreated,
    OpportunityLost,
    OpportunityReassigned,
    OpportunityReopened,
    OpportunityWon,
    StageEntered,
    StageEntryVoided,
)
from opportunities.tables import metadata

# In place of an unknown day, so that lists sort by a column without nulls: after every date.
NO_DAY = "none"


def project(row: Row | None, event: AnyRecorded) -> Row | None:
    fact = event.fact
    if isinstance(fact, OpportunityCreated):
        return created(event.stream_id, fact, event.occurred_at) | stamped(event)
    if row is None:
        return None
    return {**row, **changed(row, fact, event.occurred_at), **stamped(event)}


def created(deal_id: UUID, fact: OpportunityCreated, at: datetime) -> dict[str, Any]:
    return {
        "id": deal_id,
        "title": fact.title,
        # Whose key seals the title: without a contact person, the deal's own.
        "sealed_for": fact.person_id or deal_id,
        "status": "open",
        "pipeline_id": fact.pipeline_id,
        "stage_id": None,
        "stage_order": None,
        "pipeline_version": None,
        "stage_entered_at": None,
        "entries": [],
        "customer_id": fact.customer_id,
        "person_id": fact.person_id,
        "source": fact.source,
        "product": fact.product,
        "amount_minor": fact.amount_minor,
        "currency": fact.currency,
        "expected_close": day(fact.expected_close),
        "owner_id": fact.owner_id,
        "owner_team": fact.owner_team,
        "created_at": at,
    }


def changed(row: Row, fact: object, at: datetime) -> dict[str, Any]:
    match fact:
        case StageEntered():
            entry = {
                "entry": fact.entry,
                "stage_id": fact.stage_id,
                "stage_order": fact.stage_order,
                "pipeline_version": fact.pipeline_version,
                "entered_at": at.astimezone(UTC).isoformat(),
            }
            return placed([*row["entries"], entry])
        case StageEntryVoided():
            return placed([entry for entry in row["entries"] if entry["entry"] != fact.entry])
        case AmountChanged():
            return {"amount_minor": fact.amount_minor}
        case ExpectedCloseChanged():
            return {"expected_close": day(fact.expected_close)}
        case OpportunityReassigned():
            return {"owner_id": fact.owner_id, "owner_team": fact.owner_team}
        case OpportunityWon():
            return {"status": "won"}
        case OpportunityLost():
            return {"status": "lost"}
        case OpportunityReopened():
            return {"status": "open"}
    return {}


def placed(entries: list[dict[str, Any]]) -> dict[str, Any]:
    last = entries[-1]
    return {
        "entries": entries,
        "stage_id": last["stage_id"],
        "stage_order": last["stage_order"],
        "pipeline_version": last["pipeline_version"],
        "stage_entered_at": datetime.fromisoformat(last["entered_at"]),
    }


def day(expected: date | None) -> str:
    return expected.isoformat() if expected else NO_DAY


def stamped(event: AnyRecorded) -> dict[str, Any]:
    return {"version": event.version, "position": event.position, "updated_at": event.recorded_at}


deals = Rows(
    "opportunity_pipeline",
    columns=(
        Column("id", Uuid, primary_key=True),
        Column("title", Text),
        Column("sealed_for", Uuid, nullable=False),
        Column("status", Text, nullable=False),
        Column("pipeline_id", Uuid, nullable=False),
        Column("stage_id", Text),
        Column("stage_order", Integer),
        Column("pipeline_version", Integer),
        Column("stage_entered_at", DateTime(timezone=True)),
        Column("entries", JSONB, nullable=False),
        Column("customer_id", Uuid),
        Column("person_id", Uuid),
        Column("source", Text),
        Column("product", Text),
        Column("amount_minor", BigInteger),
        Column("currency", Text, nullable=False),
        Column("expected_close", Text, nullable=False),
        Column("owner_id", Uuid),
        Column("owner_team", Text),
        Column("version", Integer, nullable=False),
        Column("position", BigInteger, nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False),
        Column("updated_at", DateTime(timezone=True), nullable=False),
    ),
    indexes=(
        Index(None, "created_at", "id"),
        Index(None, "updated_at", "id"),
        Index(None, "expected_close", "id"),
        Index(None, "pipeline_id", "stage_id"),
        Index(None, "customer_id"),
        Index(None, "owner_id"),
        Index(None, "sealed_for"),
    ),
    project=project,
    person=PersonColumns(key="sealed_for", blank=("title",)),
).attach(metadata)
