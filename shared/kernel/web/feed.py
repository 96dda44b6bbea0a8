"""`GET /v1/feed`: what the service publishes, from the very first record, for whoever may subscribe."""

import asyncio
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from pydantic_core import to_json
from starlette.responses import Response

from kernel.domain.errors import Forbidden, Refused
from kernel.messaging import feed
from kernel.messaging.news import News
from kernel.messaging.records import Translator, cloud_event, timestamp
from kernel.messaging.service import Node
from kernel.web.auth import Role
from kernel.web.documents import read_responses
from kernel.web.requests import Answer, Call, parsed_query, query_pairs
from kernel.web.tokens import TokenInvalid, sign, verify

router = APIRouter()

MEDIA_TYPE = "application/cloudevents-batch+json"
MOST_RECORDS = 5000
# The highest position that a log can have.
LAST = 2**63 - 1
_LOOK_AGAIN = 0.25
PATH = "/v1/feed"
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
    after: int = Field(0, le=LAST)
    limit: int = 1000
    types: str = ""
    timeout: float = Field(0, allow_inf_nan=False, description="seconds to wait for a record")
    include_past: bool = False


@router.get(
    PATH,
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
async def read_feed(query: Annotated[FeedQuery, Query()]) -> None:
    """For OpenAPI alone: `Feed` answers."""
    raise AssertionError("answered before the framework's router is asked")


class Feed:
    """One node's feed. Who waits for news holds no connection: there are few, and others read too."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._translator = Translator(node.service, node.catalog)
        self._news = News(node.database, node.committer.committed)

    async def answer(self, call: Call) -> Answer:
        if not call.principal.roles & READERS:
            raise Forbidden("The feed is for the roles service and admin.")
        query = parsed_query(FeedQuery, query_pairs(call))
        page = await self._page(query, *self._place(query))
        cursor = sign(self._node.secret, "feed", [page.incarnation, page.position])
        content = to_json([cloud_event(record) for record in page.records])
        said = {
            "content-type": MEDIA_TYPE,
            "content-length": str(len(content)),
            "link": f'</v1/feed?last_event_id={cursor}>; rel="next"',
            "feed-cursor": cursor,
            "feed-position": str(page.position),
            "feed-incarnation": str(page.incarnation or ""),
            "feed-time": timestamp(page.at) if page.at else "",
        }
        return 200, [(name.encode(), value.encode()) for name, value in said.items()], content

    async def _page(self, query: FeedQuery, incarnation: UUID | None, after: int) -> feed.Page:
        """The first page with a record on it, or what there is when the time is over."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + min(max(query.timeout, 0), self._node.settings.feed_wait)
        types = frozenset(kind for kind in query.types.split(",") if kind)
        limit = min(max(query.limit, 1), MOST_RECORDS)
        while True:
            may_be_news = self._node.draining or await self._news.since(after, deadline - clock())
            async with self._node.database.reading() as connection:
                try:
                    page = await feed.read_page(
                        connection,
                        self._translator,
                        after=after,
                        limit=limit,
                        types=types,
                        include_past=query.include_past,
                        incarnation=incarnation,
                    )
                except feed.Gone as gone:
                    raise _refused(gone) from None
            if page.records or self._node.draining or clock() >= deadline:
                return page
            if not may_be_news:
                # A place that the log has not reached: whoever waits there is told at the end of his time.
                await asyncio.sleep(min(_LOOK_AGAIN, max(0.0, deadline - clock())))
            after, incarnation = page.position, page.incarnation

    def _place(self, query: FeedQuery) -> tuple[UUID | None, int]:
        if query.last_event_id is None:
            return query.incarnation, max(query.after, 0)
        try:
            incarnation, position = verify(self._node.secret, "feed", query.last_event_id)
        except TokenInvalid:
            raise CursorInvalid("The cursor is not one that this feed gave.") from None
        return (UUID(incarnation) if incarnation else None), position


def _refused(gone: feed.Gone) -> FeedGone:
    return FeedGone(
        "The log was restored to an earlier place.",
        incarnation=str(gone.incarnation),
        position=gone.position,
        counting=[str(incarnation) for incarnation in gone.counting],
    )
