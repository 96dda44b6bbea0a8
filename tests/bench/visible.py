"""From the commit of a command to its place in analytics, at a steady rate, over the feed and over Kafka."""

import asyncio
import json
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
from crm import topics
from crm.local import KAFKA_LIBS
from kernel.messaging.kafka import Cluster
from kernel.runtime import broker
from kernel.runtime.broker import KafkaBroker

from tests.bench.commands import COMPANY, PERSON
from tests.bench.figures import Figure
from tests.bench.load import customer
from tests.bench.setting import NotPossible, Setting, system
from tests.load.client import Client

NAME = "visible"
PER_SECOND = 200
SAMPLE = 20
WARMING = 8.0
_PATIENCE = 30.0
COMPLAINT = {
    "customer_id": "CUSTOMER",
    "subject": "Broken bearing",
    "description": "Three of forty arrived cracked.",
    "channel": "phone",
}
ORDER = {
    "customer_id": "CUSTOMER",
    "lines": [{"product": "pump", "quantity": 2, "unit_price": {"amount": "200.00", "currency": "CNY"}}],
}
KINDS: Sequence[tuple[str, str, dict[str, Any]]] = (
    ("contacts", "/v1/contacts", {key: value for key, value in PERSON.items() if key != "email"}),
    ("contacts", "/v1/companies", COMPANY),
    ("opportunities", "/v1/orders", ORDER),
    ("service-desk", "/v1/complaints", COMPLAINT),
)
_LATENCIES = """
SELECT extract(epoch FROM received_at - recorded_at)::float * 1000 FROM received WHERE recorded_at >= $1
"""


def run(given: Setting) -> Iterator[Figure]:
    yield from _measured(given, "feed", {})
    if broker.missing_tools(KAFKA_LIBS):
        raise NotPossible(f"Kafka needs Java 17 and Maven: {broker.INSTALL}")
    with KafkaBroker(Path(given.local.kafka), libs=KAFKA_LIBS) as kafka:
        topics.ensure(Cluster(kafka.bootstrap), partitions=12, retention_days=0, replicas=1)
        how = {"CRM_EVENTS": "kafka", "CRM_KAFKA_BOOTSTRAP": kafka.bootstrap}
        yield from _measured(given, "Kafka", how)


def _measured(given: Setting, way: str, how: dict[str, str]) -> Iterator[Figure]:
    with ExitStack() as stack:
        urls, _ = stack.enter_context(system(given, **how))
        given.tell(f"{PER_SECOND} commands a second, over {way}")
        began, seen = asyncio.run(_send(given, urls, max(3.0, given.seconds)))
        received = asyncio.run(_received(given, began))
    if not received or not seen:
        raise NotPossible(f"nothing arrived over {way}")
    yield Figure(NAME, f"{way}: p50, commit to received", _share(received, 0.5), "ms", at_most=40)
    yield Figure(NAME, f"{way}: p99, commit to received", _share(received, 0.99), "ms", at_most=250)
    yield Figure(NAME, f"{way}: p50, answer to a reader that waits", _share(seen, 0.5), "ms")
    yield Figure(NAME, f"{way}: p99, answer to a reader that waits", _share(seen, 0.99), "ms")


async def _send(given: Setting, urls: dict[str, str], seconds: float) -> tuple[Any, list[float]]:
    """Keeps the rate whatever the answers take; a sample is followed into analytics by its Consistency-Token.

    Through a client that costs next to nothing: its processor time would be taken from the services.
    """
    random, seen, tasks = Random(1), list[float](), set[asyncio.Task[None]]()
    clients = {service: Client(int(url.rpartition(":")[2])) for service, url in urls.items()}
    said = "".join(f"{name}: {value}\r\n" for name, value in {"Host": "crm", **given.bearer()}.items())

    async def one(follow: bool) -> None:
        service, path, body = random.choice(KINDS)
        text = json.dumps(body).replace("CUSTOMER", customer(random.randrange(1000)))
        headers = f"{said}Idempotency-Key: {uuid4()}\r\nContent-Length: {len(text)}\r\n"
        answer = await clients[service].ask(
            f"POST {path} HTTP/1.1\r\n{headers}\r\n{text}".encode(), _PATIENCE
        )
        if answer.status != httpx.codes.CREATED:
            raise NotPossible(f"{path} answered {answer.status}: {answer.body[:300]!r}")
        answered = time.perf_counter()
        if follow:
            token = re.search(rb"consistency-token: (\S+)", answer.head)[1].decode()  # type: ignore[index]
            headers = f"{said}Consistency-Token: {token}\r\nPrefer: wait=5, handling=strict\r\n"
            read = await clients["analytics"].ask(
                f"GET /v1/pipelines HTTP/1.1\r\n{headers}\r\n".encode(), _PATIENCE
            )
            if read.status != httpx.codes.OK:
                raise NotPossible(f"analytics answered {read.status}")
            seen.append((time.perf_counter() - answered) * 1000)

    async with httpx.AsyncClient(headers=given.bearer(), timeout=30, trust_env=False) as slower:
        await caught_up(slower, urls)

    async def at_the_rate(seconds: float) -> None:
        start = loop.time()
        for number in range(int(seconds * PER_SECOND)):
            await asyncio.sleep(max(0.0, start + number / PER_SECOND - loop.time()))
            task = asyncio.create_task(one(follow=number % SAMPLE == 0))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)

    loop = asyncio.get_running_loop()
    # A broker that has just begun compiles its code for seconds, on both cores.
    await at_the_rate(WARMING if seconds > WARMING / 2 else seconds)
    seen.clear()
    connection = await asyncpg.connect(given.database("analytics"))
    began = await connection.fetchval("SELECT clock_timestamp()")
    await connection.close()
    await at_the_rate(seconds)
    for client in clients.values():
        client.close()
    return began, seen


async def caught_up(client: httpx.AsyncClient, urls: dict[str, str]) -> None:
    """Analytics first hears all that earlier measurements have left behind."""
    for service, path, body in KINDS:
        said = {**body, "customer_id": customer(0)} if "customer_id" in body else body
        answer = await client.post(urls[service] + path, json=said, headers={"Idempotency-Key": str(uuid4())})
        token = answer.raise_for_status().headers["Consistency-Token"]
        wanted = {"Consistency-Token": token, "Prefer": "wait=5, handling=strict"}
        for _ in range(60):
            read = await client.get(f"{urls['analytics']}/v1/pipelines", headers=wanted)
            if read.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
        read.raise_for_status()


async def _received(given: Setting, began: Any) -> list[float]:
    await asyncio.sleep(1)
    connection = await asyncpg.connect(given.database("analytics"))
    try:
        return [row[0] for row in await connection.fetch(_LATENCIES, began)]
    finally:
        await connection.close()


def _share(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]
