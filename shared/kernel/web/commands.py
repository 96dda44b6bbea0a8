"""A command over HTTP: one `Operation` serves its own route and its place in a batch; nothing else writes."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic_core import to_json

from kernel.domain.errors import Invalid, Refused
from kernel.domain.ids import new_id
from kernel.storage.aggregate import AnyAggregate, AnyHandled, Intent, Step, stays
from kernel.web.documents import command_responses, header_parameters
from kernel.web.etags import expected_version
from kernel.web.policy import sees
from kernel.web.requests import BadHeader, Call
from kernel.web.tokens import keyed

_KEY = re.compile(r"[!-~]{8,255}")
# U+0000 as JSON writes it; an escaped backslash before a u is no escape.
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class KeyRequired(Refused):
    code = "IDEMPOTENCY_KEY_REQUIRED"


class MatchRequired(Refused):
    code = "IF_MATCH_REQUIRED"


class CommandBody(BaseModel):
    """Base of every request body; `command()` makes the command that it stands for."""

    model_config = ConfigDict(extra="forbid", frozen=True, cache_strings="keys")

    occurred_at: AwareDatetime | None = Field(
        None, description="when it happened, if not now", examples=["2026-03-02T09:30:00+08:00"]
    )

    def command(self) -> object:
        raise NotImplementedError


class CreationBody(CommandBody):
    """Ids are UUIDv7, made here unless the client brings one of its own."""

    id: UUID | None = Field(None, description="the new record's id, if the client makes it")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """`id` names the operation in OpenAPI and in batches. `path` has `{id}` unless the operation creates."""

    id: str
    path: str
    aggregate: AnyAggregate
    body: type[CommandBody]
    answer: Callable[[AnyHandled], BaseModel]
    model: type[BaseModel]
    summary: str
    method: str = "POST"
    creates: bool = False
    # A lost update would matter: the caller must say which version it decided on.
    if_match: bool = False
    # The stream of something that exists once (a policy): the path has no id then.
    stream_id: UUID | None = None


def route(router: APIRouter, operations: Sequence[Operation]) -> Sequence[Operation]:
    """Gives every operation its route; answers them, so that the service can list them for its batches."""
    for operation in operations:
        endpoint = _endpoint(operation)
        status = 201 if operation.creates else 200
        router.add_api_route(
            operation.path,
            endpoint,
            methods=[operation.method],
            operation_id=operation.id,
            summary=operation.summary,
            status_code=status,
            response_model=operation.model,
            responses=command_responses(creates=operation.creates, if_match=operation.if_match),
            openapi_extra={"parameters": header_parameters(operation.creates, operation.if_match)},
        )
    return operations


def _endpoint(operation: Operation) -> Callable[..., Any]:
    """For OpenAPI alone, which reads its parameters; `Operations` answers before the framework's router is asked."""
    Body = operation.body

    if "{id}" not in operation.path:

        async def without_id(body: Body) -> None:  # type: ignore[valid-type]
            raise AssertionError(f"{operation.id} is not among the operations of the app")

        return without_id

    async def with_id(id: UUID, body: Body) -> None:  # type: ignore[valid-type]
        raise AssertionError(f"{operation.id} is not among the operations of the app")

    return with_id


def make_intent(
    operation: Operation,
    call: Call,
    *,
    stream_id: UUID | None,
    command: object,
    body: CommandBody,
    key: str | None,
    if_match: str | None,
    must_be_new: bool,
    seen_by: Any,
    gone: Callable[[], bool] = stays,
) -> Intent:
    command_id = new_id()
    begins = stream_id is None and operation.stream_id is None
    said = to_json([operation.id, stream_id, body, if_match])
    if b"\\u0000" in said and _NUL.search(said):
        # PostgreSQL's jsonb holds every text but this character; better refused here than at the insert.
        raise Invalid("The text holds U+0000, which cannot be stored.", code="VALIDATION_FAILED")
    return Intent(
        steps=(Step(operation.aggregate, stream_id or operation.stream_id or new_id(), command),),
        actor=str(call.principal.sub),
        key=key or f"command:{command_id}",
        fingerprint=keyed(call.node.secret, "fingerprint", said),
        command_id=command_id,
        correlation_id=call.trace.request_id,
        traceparent=call.trace.traceparent,
        occurred_at=body.occurred_at,
        status=201 if operation.creates else 200,
        expected_version=expected_version(if_match),
        must_be_new=must_be_new,
        begins=begins,
        sees=sees(call.principal, seen_by),
        weight=len(said),
        gone=gone,
    )


def idempotency_key(header: str | None, *, required: bool) -> str | None:
    """Quoted or bare, 8 to 255 visible ASCII characters."""
    if header is None:
        if required:
            raise KeyRequired("This operation needs an Idempotency-Key.")
        return None
    key = header.strip()
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not _KEY.fullmatch(key):
        raise BadHeader("Idempotency-Key has 8 to 255 visible ASCII characters.", header="Idempotency-Key")
    return key
