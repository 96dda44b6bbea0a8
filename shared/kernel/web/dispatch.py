"""One request, one operation: found by its path, parsed from its bytes, carried out, answered."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kernel.storage.aggregate import AnyHandled, stays
from kernel.web import batch, feed
from kernel.web.commands import (
    CommandBody,
    CreationBody,
    MatchRequired,
    Operation,
    idempotency_key,
    make_intent,
)
from kernel.web.etags import etag
from kernel.web.reads import Read
from kernel.web.requests import Answer, Call, call_of, json_headers
from kernel.web.tokens import Place

_ID = TypeAdapter(UUID)
# "/v1/<collection>/<id>…", split at its slashes.
_PLACE_OF_ID = 3
Body = TypeVar("Body", bound=BaseModel)
Done = TypeVar("Done")


class Operations:
    """Answers the requests that are commands or reads, and passes on all others.

    The framework's general way (its router, its wrapping, its parsing of bodies) costs as much as the whole decision.
    """

    def __init__(
        self, app: ASGIApp, operations: Mapping[str, Operation], reads: Sequence[Read], feed: feed.Feed
    ) -> None:
        self._app = app
        self._feed = feed
        self._by_id = operations
        self._by_route: dict[tuple[str, str], Operation | Read] = {
            (operation.method, operation.path): operation for operation in operations.values()
        }
        self._by_route |= {("GET", read.path): read for read in reads}
        for _, path in self._by_route:
            if "{id}" in path and path.split("/")[_PLACE_OF_ID] != "{id}":
                raise AssertionError(f"{path}: a record's id follows the name of its collection")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        operation, record = self._find(scope)
        if operation is not None:
            scope["crm.route"] = operation.path
            stream_id = None if record is None else _path_id(record)
            call = call_of(scope)
            if isinstance(operation, Operation):
                body = _parsed(operation.body, call, await _read(receive))
                status, headers, content = await _handle(operation, stream_id, body, call)
            else:
                status, headers, content = await operation.answer(call, stream_id)
        elif (
            self._by_id
            and scope["type"] == "http"
            and (scope["method"], scope["path"]) == ("POST", batch.PATH)
        ):
            scope["crm.route"] = batch.PATH
            call = call_of(scope)
            asked = _parsed(batch.BatchIn, call, await _read(receive))
            content = await _while_there(receive, batch.carry_out(self._by_id, asked.items, call))
            status, headers = 207, json_headers(content)
        elif scope["type"] == "http" and (scope["method"], scope["path"]) == ("GET", feed.PATH):
            scope["crm.route"] = feed.PATH
            await _read(receive)
            status, headers, content = await _while_there(receive, self._feed.answer(call_of(scope)))
        else:
            await self._app(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def _find(self, scope: Scope) -> tuple[Operation | Read | None, str | None]:
        """The operation of a path and the record that the path names, if it names one."""
        if scope["type"] != "http":
            return None, None
        method, path = scope["method"], scope["path"]
        parts = path.split("/", _PLACE_OF_ID + 1)
        if len(parts) <= _PLACE_OF_ID:
            return self._by_route.get((method, path)), None
        record, parts[_PLACE_OF_ID] = parts[_PLACE_OF_ID], "{id}"
        return (self._by_route.get((method, "/".join(parts))) if record else None), record


def _path_id(text: str) -> UUID:
    try:
        return _ID.validate_python(text)
    except ValidationError as error:
        raise RequestValidationError([{**entry, "loc": ("path", "id")} for entry in error.errors()]) from None


async def _read(receive: Receive) -> bytes:
    message = await receive()
    if not message.get("more_body"):
        return _part(message)
    parts = [_part(message)]
    while message.get("more_body"):
        message = await receive()
        parts.append(_part(message))
    return b"".join(parts)


async def _while_there(receive: Receive, work: Coroutine[Any, Any, Done]) -> Done:
    """Who goes away takes along what was not begun: it would keep others out, and he will send it again."""
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(receive())
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.wait((working, leaving))


def _part(message: Message) -> bytes:
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    part: bytes = message.get("body", b"")
    return part


def _parsed(model: type[Body], call: Call, raw: bytes) -> Body:
    if "json" not in (call.header(b"content-type") or "json"):
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
        return model.model_validate_json(raw or b"null")
    except ValidationError as error:
        found = error.errors(include_url=False)
        raise RequestValidationError([{**entry, "loc": ("body", *entry["loc"])} for entry in found]) from None


async def _handle(operation: Operation, stream_id: UUID | None, body: CommandBody, call: Call) -> Answer:
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
        gone=call.scope.get("crm.gone", stays),
    )
    return answer(operation, await call.node.committer.submit(intent), call)


def answer(operation: Operation, handled: AnyHandled, call: Call) -> Answer:
    """The new representation, made from the stream's facts: the first time and at every replay."""
    node = call.node
    content = operation.answer(handled).model_dump_json().encode()
    token = Place(node.service.name, handled.incarnation, handled.position).token(node.secret)
    headers = [
        *json_headers(content),
        (b"etag", etag(handled.version).encode()),
        (b"consistency-token", token.encode()),
    ]
    if operation.creates:
        headers.append((b"location", f"{operation.path}/{handled.stream_id}".encode()))
    if handled.replayed:
        headers.append((b"idempotency-replayed", b"true"))
    return handled.status, headers, content
