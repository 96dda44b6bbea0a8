"""Around every request, in one visible place: ids, size limit, authentication, failures, metrics."""

import time
from functools import cache
from re import compile as regex

import structlog
from prometheus_client import Counter, Histogram
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kernel.runtime.logs import told
from kernel.web.auth import Authenticator, Unauthenticated
from kernel.web.faults import TooLarge, described
from kernel.web.problems import Described
from kernel.web.requests import Trace, new_trace

log = structlog.get_logger()

# As proxies log a request whose client went away.
CLIENT_GONE = 499
MOST_BODY = 512 * 1024
MOST_BATCH_BODY = 16 * 1024 * 1024
_TRACEPARENT = regex(r"^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$")
_REQUESTS = Counter("crm_http_requests_total", "Requests by route and status.", ["method", "route", "status"])
_SECONDS = Histogram("crm_http_request_seconds", "Time to answer.", ["route"])

# Looking a child up by its labels costs more than counting with it.
_count = cache(_REQUESTS.labels)
_seconds = cache(_SECONDS.labels)


class Surroundings:
    def __init__(self, app: ASGIApp, authenticator: Authenticator) -> None:
        self._app = app
        self._authenticator = authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        headers = scope["crm.headers"] = dict(reversed(scope["headers"]))
        trace = scope["crm.trace"] = _trace(headers)
        answer = _Answer(send, trace)
        try:
            if scope["path"].startswith("/v1/"):
                scope["crm.principal"] = await self._authenticator.principal(_bearer(headers))
            limit = MOST_BATCH_BODY if scope["path"] == "/v1/batch" else MOST_BODY
            stated = headers.get(b"content-length")
            if int(stated or b"0") > limit:
                raise TooLarge
            # The server lets nobody send more than he has stated.
            await self._app(scope, receive if stated else _limited(receive, limit), answer.send)
        except ClientDisconnect:
            # Nobody is there to be answered.
            answer.status = CLIENT_GONE
        except Exception as error:
            if answer.status:
                raise
            await self._fail(error, scope, receive, answer)
        finally:
            route = _route(scope)
            _count(scope["method"], route, answer.status).inc()
            _seconds(route).observe(time.perf_counter() - began)

    async def _fail(self, error: Exception, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        told_as = described(error)
        if told_as.code == "INTERNAL":
            log.error(
                "request_failed", route=_route(scope), request_id=answer.trace.request_id, **told(error)
            )
        await respond(told_as, scope, receive, answer.send)


class _Answer:
    """Adds the request's id to whatever is answered, and remembers the status."""

    def __init__(self, send: Send, trace: Trace) -> None:
        self._send = send
        self.trace = trace
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], (b"request-id", self.trace.request_id.encode())]
        await self._send(message)


async def respond(problem: Described, scope: Scope, receive: Receive, send: Send) -> None:
    trace: Trace = scope["crm.trace"]
    response = problem.response(instance=scope["path"], request_id=trace.request_id, trace_id=trace.trace_id)
    await response(scope, receive, send)


def _bearer(headers: dict[bytes, bytes]) -> str:
    scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("Send a bearer token.")
    return token.strip()


def _trace(headers: dict[bytes, bytes]) -> Trace:
    given = headers.get(b"traceparent")
    if given:
        found = _TRACEPARENT.match(given.decode("latin-1"))
        if found and int(found[1], 16):
            return new_trace(found[0])
    return new_trace()


def _limited(receive: Receive, limit: int) -> Receive:
    """A body without a stated length is counted as it comes."""
    seen = 0

    async def limited() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise TooLarge
        return message

    return limited


def _route(scope: Scope) -> str:
    """The route's template, whoever has found it."""
    known: str | None = scope.get("crm.route") or getattr(scope.get("route"), "path", None)
    return known or "unmatched"
