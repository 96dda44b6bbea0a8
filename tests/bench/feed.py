"""How fast one subscriber catches up over the feed, from the very first record, page by page."""

import asyncio
import time
from collections.abc import Iterator

import asyncpg
import httpx

from tests.bench import filling, generated
from tests.bench.figures import Figure
from tests.bench.setting import NotPossible, Setting, processor_seconds, server_seconds

NAME = "feed"
SERVICE = "contacts"
BACKLOG, BACKLOG_OF_A_SHORT_RUN = 100_000, 20_000
PAGE = 5000


def run(given: Setting) -> Iterator[Figure]:
    backlog = BACKLOG_OF_A_SHORT_RUN if given.short else BACKLOG
    given.server.drop_database("crm_contacts")
    with given.service(SERVICE) as (url, process):
        given.tell(f"{backlog:,} facts, generated")
        asyncio.run(_fill(given, url, backlog))
        _read(given, url, 1)
        before, of_server = processor_seconds(process), server_seconds(given.server)
        count = size = 0
        began = time.monotonic()
        for turn in range(given.rounds):
            given.tell(f"round {turn + 1} of {given.rounds}")
            heard, received = _read(given, url)
            count, size = count + heard, size + received
        took = time.monotonic() - began
        used, used_by_server = (
            processor_seconds(process) - before,
            server_seconds(given.server) - of_server,
        )
    if count < backlog * given.rounds:
        raise NotPossible(f"the feed gave {count:,} of {backlog:,} facts")
    yield Figure(NAME, f"records read, {PAGE:,} a page", count / took, "/s", at_least=15_000)
    yield Figure(NAME, "size of a record", size / count, "bytes")
    yield Figure(NAME, "processor time of a record, service", used * 1e6 / count, "µs")
    yield Figure(NAME, "processor time of a record, PostgreSQL", used_by_server * 1e6 / count, "µs")


async def _fill(given: Setting, url: str, count: int) -> None:
    record, *_ = await filling.companies(given, url, 1000)
    connection = await asyncpg.connect(given.database(SERVICE))
    try:
        await generated.copy(connection, record, 0, count)
        await generated.settle(connection)
    finally:
        await connection.close()


def _read(given: Setting, url: str, pages: int = 2**31) -> tuple[int, int]:
    """How many records there were, and their bytes. What a subscriber does with them is not the feed's."""
    count = size = 0
    asked = {"limit": str(PAGE)}
    with httpx.Client(base_url=url, headers=given.bearer(), timeout=30, trust_env=False) as client:
        for _ in range(pages):
            answer = client.get("/v1/feed", params=asked).raise_for_status()
            heard = answer.content.count(b'"specversion":')
            if not heard:
                break
            count, size = count + heard, size + len(answer.content)
            asked["last_event_id"] = answer.headers["Feed-Cursor"]
    return count, size
