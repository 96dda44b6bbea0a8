"""Browsers of other origins: what they may ask and read, and a refusal that is a problem document too."""

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from kernel.web.problems import problem
from kernel.web.requests import Trace, new_trace

EXPOSED = (
    "ETag, Location, Link, Request-Id, RateLimit, RateLimit-Policy, Retry-After, Consistency-Token, "
    "Idempotency-Replayed, Deprecation, Sunset, Projection-Position, Projection-Lag, Preference-Applied"
).split(", ")


class Browsers(CORSMiddleware):
    def __init__(self, app: ASGIApp, origins: list[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=EXPOSED,
            max_age=600,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        answer = super().preflight_response(request_headers)
        if answer.status_code < 400:
            return answer
        trace: Trace = new_trace()
        refusal = problem("PREFLIGHT_REFUSED", bytes(answer.body).decode())
        refused = refusal.response(instance="", request_id=trace.request_id, trace_id=trace.trace_id)
        refused.headers["Request-Id"] = trace.request_id
        refused.headers["Vary"] = "Origin"
        return refused
