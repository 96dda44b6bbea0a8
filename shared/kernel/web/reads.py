"""Reading one record: folded from its stream, with the same representation that a write answers."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from pydantic_core import to_json
from starlette.responses import Response

from kernel.domain.errors import NotFound
from kernel.messaging.sources import NO_INCARNATION
from kernel.storage import log
from kernel.storage.aggregate import AnyAggregate, AnyHandled, Handled
from kernel.storage.loading import Loader
from kernel.web.etags import etag
from kernel.web.policy import sees
from kernel.web.requests import Call


class TimelineEntry(BaseModel):
    """One fact of a record: what, when it happened, when it was recorded, and who told it."""

    version: int
    type: str
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    data: dict[str, Any]


class Timeline(BaseModel):
    items: list[TimelineEntry]


async def load_record(call: Call, aggregate: AnyAggregate, stream_id: UUID) -> AnyHandled:
    """Raises `NotFound` for what is not there and for what the caller may not see, in the same words."""
    scope = call.policy.read_scope(call.principal, aggregate.category)
    catalog = call.node.catalog
    async with call.node.database.reading() as connection:
        # The facts say whose they are, so that most records are read in one statement.
        events = await log.load(connection, [stream_id])
        if not events or catalog.of_type(events[0].type).category != aggregate.category:
            raise NotFound("There is no such record.")
        facts = await Loader(connection, catalog).decode(events)
    state = aggregate.decider.initial
    for recorded in facts:
        state = aggregate.evolve(state, recorded.fact)
    may_see = sees(call.principal, scope)
    owned = aggregate.owner(state) if aggregate.owner else None
    if may_see and owned is not None and not may_see(owned):
        raise NotFound("There is no such record.")
    return Handled(
        stream_id=stream_id,
        version=facts[-1].version,
        state=state,
        facts=facts,
        status=200,
        incarnation=NO_INCARNATION,
    )


async def read_record(
    call: Call, aggregate: AnyAggregate, stream_id: UUID, answer: Callable[[AnyHandled], BaseModel]
) -> Response:
    handled = await load_record(call, aggregate, stream_id)
    headers = {"ETag": etag(handled.version), "Cache-Control": "private, no-cache"}
    if call.header(b"if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(answer(handled).model_dump_json(), headers=headers, media_type="application/json")


async def read_timeline(call: Call, aggregate: AnyAggregate, stream_id: UUID) -> Response:
    """The stream is the timeline: every fact, its author and its two times, oldest first."""
    handled = await load_record(call, aggregate, stream_id)
    items = []
    for recorded in handled.facts:
        items.append(
            {
                "version": recorded.version,
                "type": type(recorded.fact).__name__,
                "occurred_at": recorded.occurred_at,
                "recorded_at": recorded.recorded_at,
                "actor": recorded.provenance.actor,
                "data": aggregate.codec.shown(recorded.fact),
            }
        )
    return Response(to_json({"items": items}), media_type="application/json")
