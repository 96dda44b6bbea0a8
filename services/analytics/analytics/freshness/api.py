"""How far the figures are: per source what is known to be complete, the own position, and what is parked."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from kernel.web.requests import Caller
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from analytics.answering import AsOf, answered, as_of, figure_responses
from analytics.reading import COMPLETE, Knowledge, lag_ms
from analytics.views import sources

router = APIRouter(tags=["figures"])

MOST_PARKED = 100
# By the index on (source, incarnation, position): the log itself may be long.
_NEWEST = """
SELECT source, max((SELECT max(source_position) FROM received AS r
                    WHERE r.source = c.source AND r.incarnation = c.incarnation)) AS newest
FROM (SELECT DISTINCT source, incarnation FROM checkpoints WHERE follower = 'analytics' AND version = 1) AS c
GROUP BY source
"""
_PARKED = """
SELECT v.name AS view, p.source, p.stream_id, min(p.position) AS position, count(*) AS records,
       (array_agg(p.error ORDER BY p.position))[1] AS error, min(p.parked_at) AS parked_at
FROM parked AS p JOIN views AS v ON v.name = p.follower AND v.version = p.version AND v.live
GROUP BY v.name, p.source, p.stream_id ORDER BY min(p.position), v.name LIMIT $1
"""


class NowQuery(BaseModel):
    """Freshness is of now alone: there is nothing to choose."""

    model_config = ConfigDict(extra="forbid")


class SourceOut(BaseModel):
    """`position` is the source's own, up to which all is here; `newest` the highest that was received."""

    source: str = Field(examples=["opportunities"])
    complete_at: datetime | None = Field(description="the source's time up to which nothing is missing")
    lag_ms: int | None
    position: int | None
    newest: int | None


class ParkedOut(BaseModel):
    """A stream that one view leaves out from `position` (of analytics' log) on, and why."""

    view: str
    source: str
    stream_id: UUID
    position: int
    records: int
    error: str
    parked_at: datetime


class FreshnessOut(AsOf):
    sources: list[SourceOut]
    parked_streams: list[ParkedOut] = Field(description=f"the first {MOST_PARKED}")


async def freshness(known: Knowledge) -> FreshnessOut:
    complete = {row["source"]: row for row in await known.connection.fetch(COMPLETE)}
    newest = {row["source"]: row for row in await known.connection.fetch(_NEWEST)}
    parked = await known.connection.fetch(_PARKED, MOST_PARKED)
    return FreshnessOut(
        **as_of(known),
        sources=[_source(source, complete.get(source), newest.get(source), known.now) for source in sources],
        parked_streams=[ParkedOut(**row) for row in parked],
    )


def _source(source: str, complete: Any, newest: Any, now: datetime) -> SourceOut:
    at = complete["complete_at"] if complete else None
    return SourceOut(
        source=source,
        complete_at=at,
        lag_ms=lag_ms(now, at),
        position=complete["position"] if complete else None,
        newest=newest["newest"] if newest else None,
    )


@router.get(
    "/v1/freshness",
    operation_id="freshness.read",
    summary="How far the figures are, source by source",
    response_model=FreshnessOut,
    responses=figure_responses(),
)
async def read_freshness(_: Annotated[NowQuery, Query()], call: Caller) -> Response:
    return await answered(call, freshness)
