"""All four services over Kafka, and the three that take commands at work at once; then analytics catches up."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
from crm import topics
from crm.local import KAFKA_LIBS
from kernel.messaging.kafka import Cluster
from kernel.runtime import broker
from kernel.runtime.broker import KafkaBroker

from tests.bench import load
from tests.bench.figures import Figure
from tests.bench.setting import NotPossible, Setting, system
from tests.bench.visible import KINDS, caught_up

NAME = "stack"
CONNECTIONS = 12


def run(given: Setting) -> Iterator[Figure]:
    if broker.missing_tools(KAFKA_LIBS):
        raise NotPossible(f"Kafka needs Java 17 and Maven: {broker.INSTALL}")
    with KafkaBroker(Path(given.local.kafka), libs=KAFKA_LIBS) as kafka:
        topics.ensure(Cluster(kafka.bootstrap), partitions=12, retention_days=0, replicas=1)
        how = {"CRM_EVENTS": "kafka", "CRM_KAFKA_BOOTSTRAP": kafka.bootstrap}
        with system(given, **how) as (urls, _):
            asyncio.run(_catch_up(given, urls))
            before = _received(given)
            loads = [
                load.one_each(urls[service] + path, body, given.bearer(), CONNECTIONS)
                for service, path, body in KINDS
            ]
            given.tell(f"{len(KINDS)} kinds of commands, {CONNECTIONS} connections each")
            rates = load.together(loads, max(3.0, given.seconds))
            given.tell("analytics catches up")
            took = asyncio.run(_catch_up(given, urls))
            heard = _received(given) - before
    count = sum(rate.requests for rate in rates)
    yield Figure(NAME, "commands, all services", sum(rate.per_second for rate in rates), "/s", at_least=600)
    for (service, path, _), rate in zip(KINDS, rates, strict=True):
        yield Figure(NAME, f"{service}, {path}: p99", rate.p99, "ms")
    yield Figure(NAME, "analytics has caught up after", took, "s")
    # What was sent to find the end is heard too.
    yield Figure(NAME, "records heard ÷ commands", (heard - len(KINDS)) / count, at_least=1)


async def _catch_up(given: Setting, urls: dict[str, str]) -> float:
    """Until analytics has what was last done, in seconds."""
    began = time.monotonic()
    async with httpx.AsyncClient(headers=given.bearer(), timeout=30, trust_env=False) as client:
        await caught_up(client, urls)
    return time.monotonic() - began


def _received(given: Setting) -> int:
    return int(given.server.execute("SELECT count(*) FROM received", "crm_analytics"))
