"""How fast analytics follows a log that is there already, and makes the funnel's view again from its own."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from tests.bench.figures import Figure
from tests.bench.setting import NotPossible, Setting, address

NAME = "rebuild"
RECORDS, RECORDS_OF_A_SHORT_RUN = 60_000, 8_000
VIEW = "deals"
PATIENCE = 300.0
STAGES = [{"stage_id": f"stage-{number}", "name": f"Stage {number}"} for number in range(5)]
_FOLLOWED = """
SELECT count(*), extract(epoch FROM max(received_at) - min(received_at))::float FROM received
"""
RECORDS_OF_A_DEAL = 6
AT_ONCE = 400


def run(given: Setting) -> Iterator[Figure]:
    records = RECORDS_OF_A_SHORT_RUN if given.short else RECORDS
    urls = {"opportunities": address()}
    with given.service("opportunities", urls):
        given.tell(f"{records:,} facts of deals, through the batch endpoint")
        asyncio.run(_fill(given, urls["opportunities"], records))
        given.server.drop_database("crm_analytics")
        given.database("analytics")
        given.tell("analytics hears them")
        with given.service("analytics", urls):
            count, seconds = asyncio.run(_follow(given, records))
    yield Figure(NAME, "records in analytics' log", count)
    yield Figure(NAME, "follower, storing and all views", count / seconds, "/s")
    given.tell(f"crm rebuild analytics {VIEW}")
    took = _rebuilt(given)
    yield Figure(
        NAME, f"crm rebuild analytics {VIEW}, start and proof included", count / took, "/s", at_least=5000
    )


async def _fill(given: Setting, url: str, records: int) -> None:
    """Deals that go through three stages and are won; a page at a time, each deal's commands in order."""
    async with httpx.AsyncClient(headers=given.bearer(), timeout=60, trust_env=False) as client:
        pipeline = str(uuid4())
        body = {"id": pipeline, "name": "Bench", "stages": STAGES}
        made = await client.post(f"{url}/v1/pipelines", json=body, headers={"Idempotency-Key": pipeline})
        made.raise_for_status()
        deals = [_deal(pipeline) for _ in range(records // RECORDS_OF_A_DEAL + 1)]
        for start in range(0, len(deals), AT_ONCE):
            for step in range(len(deals[0])):
                await _batch(client, url, [deal[step] for deal in deals[start : start + AT_ONCE]])


def _deal(pipeline: str) -> list[dict[str, Any]]:
    id = str(uuid4())
    data = {"pipeline_id": pipeline, "title": "Pumps", "currency": "CNY"}
    amount = {"amount": {"amount": "500.00", "currency": "CNY"}}
    steps: list[tuple[str, str, dict[str, Any]]] = [("create", id, data | amount)]
    steps += [("enter-stage", id, {"stage_id": f"stage-{number}"}) for number in (1, 2, 3)]
    steps += [("win", id, {})]
    return [
        {"command": f"opportunities.{name}", "id": of, "data": said, "idempotency_key": f"{id}-{number}"}
        for number, (name, of, said) in enumerate(steps)
    ]


async def _batch(client: httpx.AsyncClient, url: str, items: list[dict[str, Any]]) -> None:
    answer = await client.post(f"{url}/v1/batch", json={"items": items})
    if answer.status_code != httpx.codes.MULTI_STATUS or answer.json()["summary"]["failed"]:
        raise NotPossible(f"the facts could not be made: {answer.text[:300]}")


async def _follow(given: Setting, records: int) -> tuple[int, float]:
    """From the first record received to the last."""
    connection = await asyncpg.connect(given.database("analytics"))
    try:
        deadline = time.monotonic() + PATIENCE
        while (await connection.fetchval("SELECT count(*) FROM received")) < records:
            if time.monotonic() > deadline:
                raise NotPossible("analytics did not hear all records in time")
            await asyncio.sleep(0.2)
        count, seconds = await connection.fetchrow(_FOLLOWED)
        return count, seconds
    finally:
        await connection.close()


def _rebuilt(given: Setting) -> float:
    environment = given.environment("analytics", {})
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "crm", "rebuild", "analytics", VIEW],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise NotPossible(f"crm rebuild failed: {done.stderr[-300:]}")
    return time.monotonic() - began
