"""Reading over HTTP: one `Read` serves a route. A record is folded from its stream, as a write answers it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel
from pydantic_core import to_json

from kernel.domain.errors import NotFound
from kernel.messaging.sources import NO_INCARNATION
from kernel.storage.aggregate import AnyAggregate, AnyHandled, Handled
from kernel.web.documents import Responses, read_responses, record_responses
from kernel.web.etags import etag
from kernel.web.policy import sees
from kernel.web.requests import Answer, Call, json_headers

PRIVATE = (b"cache-control", b"private, no-cache")


class Read(Protocol):
    """`id` names the operation in OpenAPI; `path` has `{id}` if it is about one record."""

    @property
    def id(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def summary(self) -> str: ...
    @property
    def model(self) -> Any: ...
    @property
    def responses(self) -> Responses: ...

    def endpoint(self) -> Callable[..., Any]:
        """For OpenAPI alone, which reads its parameters; `Operations` answers before the framework is asked."""

    async def answer(self, call: Call, stream_id: UUID | None) -> Answer:
        """Raises `Refused`."""


def show(router: APIRouter, reads: Sequence[Read]) -> Sequence[Read]:
    """Gives every read its route; answers them, so that the service can hand them to its app."""
    for read in reads:
        router.add_api_route(
            read.path,
            read.endpoint(),
            methods=["GET"],
            operation_id=read.id,
            summary=read.summary,
            response_model=read.model,
            responses=read.responses,
        )
    return reads


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRead:
    """With `stream_id`: something that exists once, and always; before its first fact it has version 0."""

    id: str
    path: str
    aggregate: AnyAggregate
    of: Callable[[AnyHandled], BaseModel]
    model: type[BaseModel]
    summary: str
    stream_id: UUID | None = None

    @property
    def responses(self) -> Responses:
        return record_responses()

    def endpoint(self) -> Callable[..., Any]:
        return about_one if self.stream_id is None else about_what_exists_once

    async def answer(self, call: Call, stream_id: UUID | None) -> Answer:
        handled = await _load(call, self.aggregate, stream_id or self.stream_id, always=bool(self.stream_id))
        tag = etag(handled.version)
        if call.header(b"if-none-match") == tag and not _has_gone_silent(self.aggregate, handled):
            return 304, [(b"etag", tag.encode()), PRIVATE], b""
        content = self.of(handled).model_dump_json().encode()
        return 200, [*json_headers(content), (b"etag", tag.encode()), PRIVATE], content


def _has_gone_silent(aggregate: AnyAggregate, handled: AnyHandled) -> bool:
    """Whether a fact may have said more at this version: an erasure elsewhere takes words, and adds no version here."""
    said = ((recorded.fact, aggregate.codec.personal(type(recorded.fact))) for recorded in handled.facts)
    return any(names and all(getattr(fact, name) is None for name in names) for fact, names in said)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineRead:
    """The stream is the timeline: every fact, its author and its two times, oldest first."""

    id: str
    path: str
    aggregate: AnyAggregate
    summary: str
    model: type[BaseModel] = Timeline

    @property
    def responses(self) -> Responses:
        return read_responses()

    def endpoint(self) -> Callable[..., Any]:
        return about_one

    async def answer(self, call: Call, stream_id: UUID | None) -> Answer:
        handled = await _load(call, self.aggregate, stream_id)
        items = [
            {
                "version": recorded.version,
                "type": type(recorded.fact).__name__,
                "occurred_at": recorded.occurred_at,
                "recorded_at": recorded.recorded_at,
                "actor": recorded.provenance.actor,
                "data": self.aggregate.codec.shown(recorded.fact),
            }
            for recorded in handled.facts
        ]
        content = to_json({"items": items})
        return 200, json_headers(content), content


async def about_one(id: UUID) -> None:
    raise AssertionError("answered before the framework's router is asked")


async def about_what_exists_once() -> None:
    raise AssertionError("answered before the framework's router is asked")


async def _load(
    call: Call, aggregate: AnyAggregate, stream_id: UUID | None, *, always: bool = False
) -> AnyHandled:
    """Raises `NotFound` for what is not there and for what the caller may not see, in the same words."""
    if stream_id is None:
        raise AssertionError("a read of one record has its id in its path")
    scope = call.policy.read_scope(call.principal, aggregate.category)
    facts = await call.node.streams.facts(stream_id)
    if not facts and not always:
        raise NotFound("There is no such record.")
    if facts and call.node.catalog.of_type(type(facts[0].fact).__name__).category != aggregate.category:
        raise NotFound("There is no such record.")
    state = aggregate.decider.initial
    for recorded in facts:
        state = aggregate.evolve(state, recorded.fact)
    may_see = sees(call.principal, scope)
    owned = aggregate.owner(state) if aggregate.owner else None
    if may_see and owned is not None and not may_see(owned):
        raise NotFound("There is no such record.")
    return Handled(
        stream_id=stream_id,
        version=facts[-1].version if facts else 0,
        state=state,
        facts=facts,
        status=200,
        incarnation=NO_INCARNATION,
    )
