"""`GET /v1/feed`: what the service publishes, from the very first record, for whoever may subscribe."""

import asyncio
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from pydantic_core import to_json
from starlette.responses import Response

from kernel.domain.errors import Forbidden, Refused
from kernel.messaging import feed
from kernel.messaging.records import Translator, cloud_event, timestamp
from kernel.web.auth import Role
from kernel.web.documents import read_responses
from kernel.web.requests import Call, Caller
from kernel.web.tokens import TokenInvalid, sign, verify

router = APIRouter()

MEDIA_TYPE = "application/cloudevents-batch+json"
_POLL = 0.02
READERS = frozenset((Role.SERVICE, Role.ADMIN))


class FeedGone(Refused):
    code = "FEED_GONE"


class CursorInvalid(Refused):
    code = "CURSOR_INVALID"


class FeedQuery(BaseModel):
    """`last_event_id` is the cursor of an earlier answer; `incarnation` and `after` the place of a record one holds."""

    model_config = {"extra": "forbid"}

    last_event_id: str | None = None
    incarnation: UUID | None = None
    after: int = 0
    limit: int = 1000
    types: str = ""
    timeout: float = 0
    include_past: bool = False


@router.get(
    "/v1/feed",
    operation_id="feed.read",
    summary="Read published records in the order of the log",
    responses=read_responses(410)
    | {
        200: {
            "description": "CloudEvents of `types` up to `Feed-Position`. An empty batch ends a page, not the log.",
            "content": {MEDIA_TYPE: {}},
        }
    },
    response_class=Response,
)
async def read_feed(query: Annotated[FeedQuery, Query()], call: Caller, request: Request) -> Response:
    if not call.principal.roles & READERS:
        raise Forbidden("The feed is for the roles service and admin.")
    node = call.node
    incarnation, after = _place(query, call)
    translator = Translator(node.service, node.catalog)
    types = frozenset(kind for kind in query.types.split(",") if kind)
    limit = min(max(query.limit, 1), 5000)
    deadline = asyncio.get_running_loop().time() + min(max(query.timeout, 0), node.settings.feed_wait)
    if incarnation is not None:
        async with node.database.reading() as connection:
            await _check(connection, incarnation, after)
    while True:
        heard = node.committer.committed.rung
        # Who waits for news holds no connection: there are few, and others read too.
        async with node.database.reading() as connection:
            page = await feed.read_page(
                connection, translator, after=after, limit=limit, types=types, include_past=query.include_past
            )
        after = page.position
        over = node.draining or asyncio.get_running_loop().time() >= deadline
        if page.records or over or await request.is_disconnected():
            break
        await node.committer.committed.next(heard, _POLL)
    cursor = sign(node.secret, "feed", [page.incarnation, page.position])
    headers = {
        "Link": f'</v1/feed?last_event_id={cursor}>; rel="next"',
        "Feed-Cursor": cursor,
        "Feed-Position": str(page.position),
        "Feed-Incarnation": str(page.incarnation or ""),
        "Feed-Time": timestamp(page.at) if page.at else "",
    }
    return Response(
        to_json([cloud_event(record) for record in page.records]), headers=headers, media_type=MEDIA_TYPE
    )


def _place(query: FeedQuery, call: Call) -> tuple[UUID | None, int]:
    if query.last_event_id is None:
        return query.incarnation, max(query.after, 0)
    try:
        incarnation, position = verify(call.node.secret, "feed", query.last_event_id)
    except TokenInvalid:
        raise CursorInvalid("The cursor is not one that this feed gave.") from None
    return (UUID(incarnation) if incarnation else None), position


async def _check(connection: Any, incarnation: UUID, after: int) -> None:
    try:
        (await feed.history(connection)).check(incarnation, after)
    except feed.Gone as gone:
        raise FeedGone(
            "The log was restored to an earlier place.",
            incarnation=str(gone.incarnation),
            position=gone.position,
            counting=[str(incarnation) for incarnation in gone.counting],
        ) from None
