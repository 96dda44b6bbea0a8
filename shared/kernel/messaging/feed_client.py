"""The feed of another service over HTTP: an `EventSource`, and what fills a gap that Kafka left."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime
from uuid import UUID

import httpx
import structlog

from kernel.messaging.records import PublicRecord, from_attributes
from kernel.messaging.sources import FEED_PARTITION, NO_INCARNATION, Arrival, Bookmarks, Mark, Place
from kernel.storage.codec import parsed
from kernel.storage.metrics import REFUSED

log = structlog.get_logger()

PAGE = 1000
_REFUSALS = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)


class FeedGone(Exception):
    """The place is above where its incarnation of the source's log ended."""

    def __init__(self, place: Place) -> None:
        super().__init__(f"go on from {place}")
        self.place = place


class Bearer(httpx.Auth):
    """Asks for the token at each request, because the one of an hour ago may have expired."""

    def __init__(self, token: Callable[[], str]) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
        request.headers["Authorization"] = f"Bearer {self._token()}"
        yield request


class FeedClient:
    """Reads pages of `GET /v1/feed`. `wait` is how long the server may hold an answer when there is no news."""

    def __init__(self, name: str, url: str, token: Callable[[], str], *, wait: float = 20.0) -> None:
        self.name = name
        self._wait = wait
        self._http = httpx.AsyncClient(
            base_url=url,
            auth=Bearer(token),
            timeout=httpx.Timeout(10.0, read=wait + 10.0),
        )

    async def page(
        self, after: int, incarnation: UUID | None, *, limit: int = PAGE, wait: float = 0.0
    ) -> tuple[list[PublicRecord], Mark]:
        """Raises `FeedGone` when the log was restored below this place."""
        parameters = {"after": str(after), "limit": str(limit), "timeout": str(wait)}
        if incarnation not in (None, NO_INCARNATION):
            parameters["incarnation"] = str(incarnation)
        answer = await self._http.get("/v1/feed", params=parameters)
        if answer.status_code == httpx.codes.GONE:
            gone = answer.json()
            counting = tuple(UUID(incarnation) for incarnation in gone["counting"])
            raise FeedGone(Place(UUID(gone["incarnation"]), gone["position"], counting))
        if answer.status_code in _REFUSALS:
            REFUSED.labels(self.name).inc()
            log.error("feed_refused", source=self.name, status=answer.status_code)
        answer.raise_for_status()
        records = [from_attributes(said, said["data"], said["partition"]) for said in parsed(answer.content)]
        stated = answer.headers["Feed-Incarnation"]
        return records, Mark(
            FEED_PARTITION,
            UUID(stated) if stated else NO_INCARNATION,
            int(answer.headers["Feed-Position"]),
            at=datetime.fromisoformat(at) if (at := answer.headers["Feed-Time"]) else None,
        )

    async def between(
        self, partition: int, after: int, upto: int, most: int
    ) -> tuple[list[PublicRecord], int]:
        """The records of one partition with `after < position <= upto`: what Kafka should have brought.

        When there are more than about `most`, only the first; and the position up to which these are all.
        """
        found: list[PublicRecord] = []
        while after < upto and len(found) < most:
            records, mark = await self.page(after, None)
            found += [r for r in records if r.partition == partition and r.position <= upto]
            if mark.position == after:
                return found, upto
            after = mark.position
        return found, min(after, upto)

    async def close(self) -> None:
        await self._http.aclose()


class FeedSource:
    """The feed as an `EventSource`: in order over the whole log, so it is one partition and leaves nothing out."""

    def __init__(self, client: FeedClient, *, wait: float = 20.0, gather: float = 0.0) -> None:
        self.name = client.name
        self._client = client
        self._wait = wait
        self._gather = gather
        self._behind = True
        self._position = 0
        self._incarnation: UUID | None = None

    async def seek(self, bookmarks: Bookmarks) -> None:
        """Coming from Kafka, it begins where the feed was left: a partition never heard of may hold anything above.

        What the other partitions brought meanwhile comes again and is dropped.
        """
        feed = bookmarks.of(FEED_PARTITION)
        self._position, self._incarnation = feed.position, feed.incarnation

    async def fetch(self) -> Arrival:
        if self._gather and not self._behind:
            await asyncio.sleep(self._gather)
        records, mark = await self._client.page(self._position, self._incarnation, wait=self._wait)
        # By places, not by records: of a full page some may be of nobody's interest.
        self._behind = mark.position - self._position >= PAGE
        self._position, self._incarnation = mark.position, mark.incarnation
        return Arrival([*((record, None) for record in records), mark])

    async def close(self) -> None:
        await self._client.close()
