"""The directory of pipelines: what a deal may be started in, with the stages as they are now."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from kernel.storage.views import AnyRecorded, Row, Rows
from kernel.web.paging import ListQuery
from pydantic import BaseModel
from sqlalchemy import BigInteger, Column, DateTime, Index, Integer, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from opportunities.pipeline.events import (
    PipelineDefined,
    PipelineRedefined,
    PipelineReinstated,
    PipelineRetired,
)
from opportunities.tables import metadata


def project(row: Row | None, event: AnyRecorded) -> Row | None:
    match event.fact:
        case PipelineDefined() as fact:
            first = {"id": event.stream_id, "created_at": event.occurred_at, "status": "active"}
            return first | defined(fact) | stamped(event)
        case PipelineRedefined() as fact if row:
            return {**row, **defined(fact), **stamped(event)}
        case PipelineRetired() if row:
            return {**row, "status": "retired", **stamped(event)}
        case PipelineReinstated() if row:
            return {**row, "status": "active", **stamped(event)}
    return row


def defined(fact: PipelineDefined | PipelineRedefined) -> dict[str, Any]:
    stages = [
        {"stage_id": stage.stage_id, "name": stage.name, "milestone": stage.milestone}
        for stage in fact.stages
    ]
    return {"name": fact.name, "pipeline_version": fact.pipeline_version, "stages": stages}


def stamped(event: AnyRecorded) -> dict[str, Any]:
    return {"version": event.version, "position": event.position, "updated_at": event.recorded_at}


directory = Rows(
    "pipeline_directory",
    columns=(
        Column("id", Uuid, primary_key=True),
        Column("name", Text, nullable=False),
        Column("status", Text, nullable=False),
        Column("pipeline_version", Integer, nullable=False),
        Column("stages", JSONB, nullable=False),
        Column("version", Integer, nullable=False),
        Column("position", BigInteger, nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False),
        Column("updated_at", DateTime(timezone=True), nullable=False),
    ),
    indexes=(Index(None, "name", "id"),),
    project=project,
).attach(metadata)


class PipelineListQuery(ListQuery):
    sort: Literal["name", "-name", "created_at", "-created_at", "updated_at", "-updated_at"] = "name"
    status: Literal["active", "retired"] | None = None


class ListedStage(BaseModel):
    stage_id: str
    name: str
    milestone: str | None


class PipelineItem(BaseModel):
    """`pipeline_version` counts the definitions; `stages` are those of the newest, in order."""

    id: UUID
    etag: str
    name: str
    status: str
    pipeline_version: int
    stages: list[ListedStage]
    created_at: datetime
    updated_at: datetime
