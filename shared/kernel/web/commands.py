"""A command over HTTP: one `Operation` serves its own route and its place in a batch; nothing else writes."""

import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import to_json
from starlette.responses import Response

from kernel.domain.errors import Invalid, Refused
from kernel.domain.ids import new_id
from kernel.storage.aggregate import AnyAggregate, AnyHandled, Intent, Step
from kernel.web.documents import command_responses, header_parameters
from kernel.web.etags import etag, expected_version
from kernel.web.policy import sees
from kernel.web.requests import BadHeader, Call, call_of
from kernel.web.tokens import Place, keyed

_SHORTEST_KEY, _LONGEST_KEY = 8, 255
_ID = TypeAdapter(UUID)
# U+0000 as JSON writes it; an escaped backslash before a u is no escape.
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class KeyRequired(Refused):
    code = "IDEMPOTENCY_KEY_REQUIRED"


class MatchRequired(Refused):
    code = "IF_MATCH_REQUIRED"


class CommandBody(BaseModel):
    """Base of every request body; `command()` makes the command that it stands for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

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
            route_class_override=_route_class(operation),
        )
    return operations


def _endpoint(operation: Operation) -> Callable[..., Any]:
    """For OpenAPI alone, which reads its parameters; `CommandRoute` answers."""
    Body = operation.body

    if "{id}" not in operation.path:

        async def without_id(body: Body) -> None:  # type: ignore[valid-type]
            """Never called."""

        return without_id

    async def with_id(id: UUID, body: Body) -> None:  # type: ignore[valid-type]
        """Never called."""

    return with_id


def _route_class(operation: Operation) -> type[APIRoute]:
    """Parses the body straight from its bytes: the framework's general way costs as much as the whole decision."""

    class CommandRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            async def answer_command(request: Request) -> Response:
                stream_id = _path_id(request) if "{id}" in operation.path else None
                body = _body(operation, request.scope["crm.headers"], await request.body())
                return await _handle(operation, stream_id, body, call_of(request))

            return answer_command

    return CommandRoute


def _path_id(request: Request) -> UUID:
    try:
        return _ID.validate_python(request.path_params["id"])
    except ValidationError as error:
        raise RequestValidationError([{**entry, "loc": ("path", "id")} for entry in error.errors()]) from None


def _body(operation: Operation, headers: Mapping[bytes, bytes], raw: bytes) -> CommandBody:
    if b"json" not in headers.get(b"content-type", b"json"):
        raise RequestValidationError(
            [
                {
                    "type": "content_type",
                    "loc": ("body",),
                    "msg": "The body is sent as application/json",
                    "input": None,
                }
            ]
        )
    try:
        return operation.body.model_validate_json(raw or b"null")
    except ValidationError as error:
        found = error.errors(include_url=False)
        raise RequestValidationError([{**entry, "loc": ("body", *entry["loc"])} for entry in found]) from None


async def _handle(operation: Operation, stream_id: UUID | None, body: CommandBody, call: Call) -> Response:
    command = body.command()
    if isinstance(body, CreationBody):
        stream_id = body.id
    scope = call.policy.command_scope(call.principal, type(command))
    if_match = call.header(b"if-match")
    if operation.if_match and if_match is None:
        raise MatchRequired("This operation needs If-Match.")
    intent = make_intent(
        operation,
        call,
        stream_id=stream_id,
        command=command,
        body=body,
        key=idempotency_key(call.header(b"idempotency-key"), required=operation.creates),
        if_match=if_match,
        must_be_new=call.header(b"if-none-match") == "*",
        seen_by=scope,
    )
    handled = await call.node.committer.submit(intent)
    return answer(operation, handled, call)


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
) -> Intent:
    command_id = new_id()
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
        sees=sees(call.principal, seen_by),
        weight=len(said),
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
    if not _SHORTEST_KEY <= len(key) <= _LONGEST_KEY or not all("!" <= c <= "~" for c in key):
        raise BadHeader("Idempotency-Key has 8 to 255 visible ASCII characters.", header="Idempotency-Key")
    return key


def answer(operation: Operation, handled: AnyHandled, call: Call) -> Response:
    """The new representation, made from the stream's facts: the first time and at every replay."""
    node = call.node
    headers = {
        "ETag": etag(handled.version),
        "Consistency-Token": Place(node.service.name, handled.incarnation, handled.position).token(
            node.secret
        ),
    }
    if operation.creates:
        headers["Location"] = f"{operation.path}/{handled.stream_id}"
    if handled.replayed:
        headers["Idempotency-Replayed"] = "true"
    return Response(
        operation.answer(handled).model_dump_json(),
        handled.status,
        headers=headers,
        media_type="application/json",
    )
