"""What a route knows of its request: one async dependency reads all headers, because each further one costs."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar
from urllib.parse import parse_qsl

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.types import Scope

from kernel.domain.errors import Refused
from kernel.messaging.service import Node
from kernel.web.auth import Principal
from kernel.web.policy import Policy

Asked = TypeVar("Asked", bound=BaseModel)
# Status, headers, body.
Answer = tuple[int, list[tuple[bytes, bytes]], bytes]


class BadHeader(Refused):
    code = "MALFORMED_HEADER"


@dataclass(frozen=True, slots=True)
class Trace:
    """`request_id` is ours for this request; `traceparent` the caller's, or one that begins here."""

    request_id: str
    traceparent: str

    @property
    def trace_id(self) -> str:
        return self.traceparent.split("-")[1]


def new_trace(traceparent: str | None = None) -> Trace:
    fresh = os.urandom(36).hex()
    return Trace(fresh[48:], traceparent or f"00-{fresh[:32]}-{fresh[32:48]}-00")


@dataclass(slots=True)
class Call:
    """One authenticated request to one node."""

    scope: Scope
    node: Node
    policy: Policy
    principal: Principal
    trace: Trace

    def header(self, name: bytes) -> str | None:
        """By its lower-case name; of several the first, as the middleware has laid them out."""
        value: bytes | None = self.scope["crm.headers"].get(name)
        return None if value is None else value.decode("latin-1")

    @property
    def request(self) -> Request:
        return Request(self.scope)


def call_of(scope: Scope) -> Call:
    state = scope["app"].state
    return Call(scope, state.node, state.policy, scope["crm.principal"], scope["crm.trace"])


async def _call(request: Request) -> Call:
    return call_of(request.scope)


Caller = Annotated[Call, Depends(_call)]


def query_pairs(call: Call) -> list[tuple[str, str]]:
    return parse_qsl(call.scope["query_string"].decode("latin-1"), keep_blank_values=True)


def parsed_query(model: type[Asked], said: Sequence[tuple[str, str]]) -> Asked:
    """Of a parameter that is given twice, the last one counts, as the framework has it."""
    try:
        return model.model_validate(dict(said))
    except ValidationError as error:
        found = error.errors(include_url=False)
        raise RequestValidationError(
            [{**entry, "loc": ("query", *entry["loc"])} for entry in found]
        ) from None


def json_headers(content: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
