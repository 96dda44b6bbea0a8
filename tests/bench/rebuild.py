"""How fast analytics follows a log that is there already, and makes the funnel's view again from its own."""

import asyncio
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import choice
from resource import RUSAGE_CHILDREN, getrusage
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
from kernel.domain.ids import new_id

from tests.bench.figures import Figure
from tests.bench.setting import NotPossible, Setting, address, processor_seconds

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
YEARS, BETWEEN_STEPS = timedelta(days=3 * 365), timedelta(days=15)
OWNERS = [str(uuid4()) for _ in range(20)]
SOURCES = ["fair", "referral", "web", None]
_TOLD = re.compile(r"\b(filled|proved)_in=([0-9.]+)")


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """In seconds: by the clock and of the processor, and the parts that the command tells of."""

    took: float
    busy: float
    filled: float
    proved: float


def run(given: Setting) -> Iterator[Figure]:
    records = RECORDS_OF_A_SHORT_RUN if given.short else RECORDS
    urls = {"opportunities": address()}
    with given.service("opportunities", urls):
        given.tell(f"{records:,} facts of deals, through the batch endpoint")
        asyncio.run(_fill(given, urls["opportunities"], records))
        given.server.drop_database("crm_analytics")
        given.database("analytics")
        given.tell("analytics hears them")
        with given.service("analytics", urls) as (_, process):
            before = processor_seconds(process)
            count, seconds = asyncio.run(_follow(given, records))
            busy = processor_seconds(process) - before
    yield Figure(NAME, "records in analytics' log", count)
    yield Figure(NAME, "follower, storing and all views", count / seconds, "/s", at_least=8000)
    yield Figure(NAME, "its processor time, fetching included", busy / count * 1e6, "µs each")
    given.tell(f"crm rebuild analytics {VIEW}")
    made = _rebuilt(given)
    rebuild = f"crm rebuild analytics {VIEW}"
    yield Figure(NAME, f"{rebuild}, start and proof included", count / made.took, "/s", at_least=5000)
    yield Figure(NAME, "its processor time", made.busy / count * 1e6, "µs each")
    yield Figure(NAME, f"{rebuild}, the filling alone", count / made.filled, "/s", at_least=50_000)
    yield Figure(NAME, f"{rebuild}, the proof alone", count / made.proved, "/s")


async def _fill(given: Setting, url: str, records: int) -> None:
    """Deals of a team in the last years; while some begin, those before them go on, and the oldest are won."""
    async with httpx.AsyncClient(headers=given.bearer(), timeout=60, trust_env=False) as client:
        pipeline = str(uuid4())
        body = {"id": pipeline, "name": "Bench", "stages": STAGES}
        made = await client.post(f"{url}/v1/pipelines", json=body, headers={"Idempotency-Key": pipeline})
        made.raise_for_status()
        count = records // RECORDS_OF_A_DEAL + 1
        deals = [_deal(pipeline, YEARS * (1 - number / count)) for number in range(count)]
        groups = [deals[start : start + AT_ONCE] for start in range(0, count, AT_ONCE)]
        steps = len(deals[0])
        for turn in range(len(groups) + steps - 1):
            for step in range(max(0, turn - len(groups) + 1), min(steps, turn + 1)):
                await _batch(client, url, [deal[step] for deal in groups[turn - step]])


def _deal(pipeline: str, ago: timedelta) -> list[dict[str, Any]]:
    id = str(new_id())
    data = {"pipeline_id": pipeline, "title": "Pumps", "currency": "CNY", "source": choice(SOURCES)}
    said = {"amount": {"amount": "500.00", "currency": "CNY"}, "owner_id": choice(OWNERS)}
    steps: list[tuple[str, dict[str, Any]]] = [("create", data | said)]
    steps += [("enter-stage", {"stage_id": f"stage-{number}"}) for number in (1, 2, 3)]
    steps += [("win", {})]
    began = datetime.now(UTC) - ago - len(steps) * BETWEEN_STEPS
    return [
        {
            "command": f"opportunities.{name}",
            "id": id,
            "data": data,
            "idempotency_key": f"{id}-{number}",
            "occurred_at": (began + number * BETWEEN_STEPS).isoformat(),
        }
        for number, (name, data) in enumerate(steps)
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


def _rebuilt(given: Setting) -> Rebuilt:
    environment = given.environment("analytics", {})
    began, before = time.monotonic(), getrusage(RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "crm", "rebuild", "analytics", VIEW],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    took, after = time.monotonic() - began, getrusage(RUSAGE_CHILDREN)
    if done.returncode:
        raise NotPossible(f"crm rebuild failed: {done.stderr[-300:]}")
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    told = {name: float(seconds) for name, seconds in _TOLD.findall(done.stdout)}
    return Rebuilt(took, busy, told["filled"], told["proved"])
