"""How fast a relay passes on a log that is there already, and what an event costs it; for the feed, and to Kafka."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
from crm import topics
from crm.local import KAFKA_LIBS
from kernel.messaging.kafka import Cluster
from kernel.runtime import broker
from kernel.runtime.broker import KafkaBroker

from tests.bench import filling
from tests.bench.figures import Figure
from tests.bench.setting import NotPossible, Setting, address, processor_seconds

NAME = "relaying"
SERVICE = "contacts"
EVENTS, EVENTS_OF_A_SHORT_RUN = 120_000, 20_000
PATIENCE = 300.0
_PASSED_ON = """
SELECT max(position) - min(position), extract(epoch FROM max(created_at) - min(created_at))::float FROM log_digests
"""


def run(given: Setting) -> Iterator[Figure]:
    events = EVENTS_OF_A_SHORT_RUN if given.short else EVENTS
    urls = {SERVICE: address()}
    with given.service(SERVICE, urls, CRM_ROLE="api"):
        given.tell(f"{events:,} facts of companies, through the batch endpoint")
        asyncio.run(filling.companies(given, urls[SERVICE], events))
    yield from _measured(given, "feed", {})
    if broker.missing_tools(KAFKA_LIBS):
        raise NotPossible(f"Kafka needs Java 17 and Maven: {broker.INSTALL}")
    with KafkaBroker(Path(given.local.kafka), libs=KAFKA_LIBS) as kafka:
        topics.ensure(Cluster(kafka.bootstrap), partitions=12, retention_days=0, replicas=1)
        how = {"CRM_EVENTS": "kafka", "CRM_KAFKA_BOOTSTRAP": kafka.bootstrap}
        yield from _measured(given, "Kafka", how, at_least=8000)


def _measured(
    given: Setting, way: str, how: dict[str, str], at_least: float | None = None
) -> Iterator[Figure]:
    given.tell(f"the relay passes them on, over {way}")
    given.server.execute("TRUNCATE relay, log_digests", f"crm_{SERVICE}")
    whole = _used(given, how)
    count, seconds = asyncio.run(_passed_on(given))
    # Its start alone, with nothing left to pass on.
    rest = _used(given, how)
    yield Figure(NAME, f"{way}: events passed on", count / seconds, "/s", at_least=at_least)
    yield Figure(NAME, f"{way}: processor time of an event", (whole - rest) * 1e6 / count, "µs")


def _used(given: Setting, how: dict[str, str]) -> float:
    """The processor time of a service from its start until its relay has passed everything on."""
    with given.service(SERVICE, {}, **how) as (_, process):
        asyncio.run(_await_end(given))
        return processor_seconds(process)


async def _await_end(given: Setting) -> None:
    connection = await asyncpg.connect(given.database(SERVICE))
    try:
        deadline = time.monotonic() + PATIENCE
        head = await connection.fetchval("SELECT max(position) FROM events")
        while (await connection.fetchval("SELECT coalesce(max(position), 0) FROM relay")) < head:
            if time.monotonic() > deadline:
                raise NotPossible("the relay did not pass everything on in time")
            await asyncio.sleep(0.05)
    finally:
        await connection.close()


async def _passed_on(given: Setting) -> tuple[int, float]:
    """From the first page that was passed on to the last."""
    connection = await asyncpg.connect(given.database(SERVICE))
    try:
        count, seconds = await connection.fetchrow(_PASSED_ON)
        return count, seconds
    finally:
        await connection.close()
