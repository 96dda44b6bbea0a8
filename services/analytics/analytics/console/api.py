"""`POST /v1/console-links`: a link that opens the console once, for whoever may see figures."""

from datetime import datetime

from fastapi import APIRouter
from kernel.web.documents import problem_responses
from kernel.web.requests import Caller
from pydantic import BaseModel, Field
from starlette.responses import Response

from analytics.console import sessions

router = APIRouter(tags=["console"])


class ConsoleLink(BaseModel):
    url: str = Field(
        description="relative to this service; it opens the console once",
        examples=["/console/enter?ticket=8QbT0dY1Jw"],
    )
    expires_at: datetime


@router.post(
    "/v1/console-links",
    operation_id="console.link",
    summary="Make a link that opens the console once, for ten minutes",
    status_code=201,
    response_model=ConsoleLink,
    responses=problem_responses(401, 403, 503),
)
async def make_link(call: Caller) -> Response:
    call.policy.read_scope(call.principal, "figures")
    link = await sessions.issue(call.node, call.principal)
    body = ConsoleLink(url=link.url, expires_at=link.expires_at)
    return Response(
        body.model_dump_json(),
        201,
        headers={"Cache-Control": "no-store"},
        media_type="application/json",
    )
