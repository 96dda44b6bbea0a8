"""What a command, a relayed and a followed event cost, and how long a start takes, with a short log and a long one."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import asyncpg
import httpx
from kernel.runtime.guarded import Guarded
from kernel.storage.database import Connection

from tests.bench import generated, load
from tests.bench.figures import Figure
from tests.bench.setting import NotPossible, Setting, address, processor_seconds, server_seconds
from tests.bench.visible import COMPLAINT

NAME = "flat"
SERVICE, FOLLOWER = "service-desk", "analytics"
NAMES = {SERVICE: "crm_service_desk", FOLLOWER: "crm_analytics"}
COPIES = "bench_"
# By the clock, which others at work on the machine hold up more than anything.
STARTED = "start to ready"
SHORT, LONG, LONG_OF_A_SHORT_RUN = 10_000, 1_000_000, 50_000
NEWS, NEWS_OF_A_SHORT_RUN = 20_000, 3_000
SECONDS = 3.0
PATIENCE = 120.0
MICROSECONDS = 1e6
_HEAD = "SELECT max(position) FROM events"
_RELAYED = "SELECT coalesce(max(position), 0) FROM relay"
_FOLLOWED = f"SELECT coalesce(max(position), 0) FROM checkpoints WHERE source = '{SERVICE}'"
_SKIP = """
UPDATE relay SET (position, event_id) = (SELECT position, event_id FROM events ORDER BY position DESC LIMIT 1)
"""
# The worker waits for this lease, ready, until it is given.
_HOLD = """
INSERT INTO leases (name, epoch, holder, until) VALUES ($1, 1, 'bench', now() + interval '1 hour')
ON CONFLICT (name) DO UPDATE SET epoch = leases.epoch + 1, until = excluded.until
"""
_GIVE = "UPDATE leases SET until = now() - interval '1 second' WHERE name = $1"


@dataclass
class Size:
    """One system: how many facts it began with, its databases, and what was measured in each round."""

    events: int
    databases: Mapping[str, str]
    record: str
    next: int
    costs: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))


def run(given: Setting) -> Iterator[Figure]:
    sizes = _prepared(given)
    for turn in range(given.rounds):
        given.tell(f"round {turn + 1} of {given.rounds}")
        ordered = sizes if turn % 2 == 0 else sizes[::-1]
        for size in ordered:
            _command(given, size)
        for size in ordered:
            asyncio.run(_relay(given, size))
        asyncio.run(_follow(given, sizes[0], ordered))
    for what in sizes[0].costs:
        # The least of the rounds, because what else a machine does only adds.
        short, long = (min(size.costs[what]) for size in sizes)
        unit = "s" if what.startswith("start") else "µs"
        for size, value in zip(sizes, (short, long), strict=True):
            yield Figure(NAME, f"{what}, {size.events:,} events", value, unit)
        if what != STARTED:
            yield Figure(NAME, f"{what}: long ÷ short", long / short, at_most=1.2)


def _prepared(given: Setting) -> tuple[Size, Size]:
    """Analytics has heard the short log; the long system is a copy of both databases that goes on."""
    for name in NAMES.values():
        given.server.drop_database(name)
        given.server.drop_database(COPIES + name)
    urls = {SERVICE: address()}
    with given.service(SERVICE, urls), given.service(FOLLOWER, urls):
        url, headers = f"{urls[SERVICE]}/v1/complaints", {**given.bearer(), "Idempotency-Key": str(uuid4())}
        made = httpx.post(
            url, json={**COMPLAINT, "customer_id": load.customer(0)}, headers=headers
        ).raise_for_status()
        record = str(made.json()["id"])
        asyncio.run(_first(given, record))
    long = LONG_OF_A_SHORT_RUN if given.short else LONG
    for name in NAMES.values():
        given.server.create_database(COPIES + name, template=name)
    short = {service: given.server.dsn(name) for service, name in NAMES.items()}
    copies = {service: given.server.dsn(COPIES + name) for service, name in NAMES.items()}
    sizes = Size(SHORT, short, record, SHORT), Size(long, copies, record, long)
    for size in sizes:
        given.tell(f"{size.events:,} events, generated")
        asyncio.run(_complete(size))
    return sizes


async def _first(given: Setting, record: str) -> None:
    async with _connected(given.database(SERVICE)) as desk, _connected(given.database(FOLLOWER)) as hearer:
        await generated.copy(desk, record, 0, SHORT)
        await _until(desk, _RELAYED, await desk.fetchval(_HEAD))
        await _until(hearer, _FOLLOWED, await desk.fetchval(_HEAD))


async def _complete(size: Size) -> None:
    for database in size.databases.values():
        async with _connected(database) as connection:
            await generated.copy(connection, size.record, SHORT, size.events - SHORT)
            await connection.execute(_SKIP)
            await generated.settle(connection)


def _command(given: Setting, size: Size) -> None:
    began = time.monotonic()
    with given.service(SERVICE, CRM_ROLE="api", CRM_DATABASE_URL=size.databases[SERVICE]) as (url, process):
        size.costs[STARTED].append(time.monotonic() - began)
        size.costs["start, processor time"].append(processor_seconds(process))
        asked = load.one_each(f"{url}/v1/complaints", COMPLAINT, given.bearer())
        load.run(asked, 1)
        with _costs(given, size, "command", process) as count:
            count.append(load.run(asked, min(SECONDS, given.seconds)).requests)


async def _relay(given: Setting, size: Size) -> None:
    """What the commands have made, and more."""
    async with _connected(size.databases[SERVICE]) as connection:
        await generated.copy(connection, size.record, size.next, NEWS_OF_A_SHORT_RUN if given.short else NEWS)
        size.next += NEWS
        head, relayed = await connection.fetchval(_HEAD), await connection.fetchval(_RELAYED)
        await connection.execute(_HOLD, f"{SERVICE}-worker")
        with (
            given.service(SERVICE, CRM_DATABASE_URL=size.databases[SERVICE]) as (_, process),
            _costs(given, size, "relayed event", process) as count,
        ):
            await connection.execute(_GIVE, f"{SERVICE}-worker")
            await _until(connection, _RELAYED, head)
            count.append(head - relayed)


async def _follow(given: Setting, source: Size, sizes: tuple[Size, ...]) -> None:
    """All hear what is new in the log of one of them, so that the source costs the same."""
    urls = {SERVICE: address(2)}
    async with _connected(source.databases[SERVICE]) as desk:
        head = await desk.fetchval(_HEAD)
    with given.service(SERVICE, urls, CRM_ROLE="api", CRM_DATABASE_URL=source.databases[SERVICE]):
        for size in sizes:
            async with _connected(size.databases[FOLLOWER]) as connection:
                heard = await connection.fetchval(_FOLLOWED)
                await connection.execute(_HOLD, f"{FOLLOWER}-worker")
                with (
                    given.service(FOLLOWER, urls, CRM_DATABASE_URL=size.databases[FOLLOWER]) as (_, process),
                    _costs(given, size, "followed event", process) as count,
                ):
                    await connection.execute(_GIVE, f"{FOLLOWER}-worker")
                    await _until(connection, _FOLLOWED, head)
                    count.append(head - heard)


@contextmanager
def _costs(given: Setting, size: Size, what: str, process: Guarded) -> Iterator[list[int]]:
    """Notes the processor time of one of as many as the block says; both parts, because they grow differently."""
    count: list[int] = []
    own, of_server = processor_seconds(process), server_seconds(given.server)
    yield count
    own, of_server = processor_seconds(process) - own, server_seconds(given.server) - of_server
    size.costs[f"{what}, service"].append(own / count[0] * MICROSECONDS)
    size.costs[f"{what}, PostgreSQL"].append(of_server / count[0] * MICROSECONDS)


@asynccontextmanager
async def _connected(database: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(database)
    try:
        yield connection
    finally:
        await connection.close()


async def _until(connection: Connection, question: str, wanted: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while await connection.fetchval(question) < wanted:
        if time.monotonic() > deadline:
            raise NotPossible("the log was not passed on in time")
        await asyncio.sleep(0.1)
