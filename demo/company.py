"""Sends a generated company's year through the services' own API, so that a first look finds something to look at.

The marker keeps the moment at which the year ends: a seeding that was interrupted goes on with the very same
commands, and their keys make what was done before harmless.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import httpx
from crm.failures import Failure
from crm.local import write_whole
from crm.sending import Item, Sender, slices
from kernel.domain.clock import now

from demo.complaints import complaints
from demo.customers import firms, people
from demo.deals import Pipeline, deals
from demo.orders import orders
from demo.world import Year, in_order

# The same twice: what a fresh database refuses because an expired key let it come again.
THERE = (
    "COMPANY_EXISTS",
    "CONTACT_EXISTS",
    "PIPELINE_EXISTS",
    "OPPORTUNITY_EXISTS",
    "ORDER_EXISTS",
    "COMPLAINT_EXISTS",
)

Tell = Callable[[str], None]


def seed(urls: Mapping[str, str], token: str, marker: Path, tell: Tell) -> None:
    noted = json.loads(marker.read_text()) if marker.exists() else {}
    if noted.get("done"):
        return
    until = datetime.fromisoformat(noted["until"]) if noted else now() - timedelta(minutes=1)
    write_whole(marker, json.dumps({"until": until.isoformat(), "done": False}))
    sent = asyncio.run(_seed(urls, token, Year(until), tell))
    write_whole(marker, json.dumps({"until": until.isoformat(), "done": True, "commands": sent}))


async def _seed(urls: Mapping[str, str], token: str, year: Year, tell: Tell) -> int:
    started = now()
    tell("demo data …")
    async with (
        Sender(urls["contacts"], token) as contacts,
        Sender(urls["opportunities"], token) as opportunities,
        Sender(urls["service-desk"], token) as desk,
    ):
        pipelines = await _templates(urls["opportunities"], token)
        await _send(opportunities, [_definitions(year, pipelines)])
        told = list(deals(year, pipelines))
        won = [deal for deal in told if deal.won_at]
        counts = await asyncio.gather(
            _send(contacts, in_order([*firms(year), *people(year)])),
            _send(opportunities, in_order([*told, *orders(year, won)])),
            _send(desk, in_order(list(complaints(year)))),
        )
    total = sum(counts)
    tell(f"demo data: {total} commands sent in {(now() - started).total_seconds():.1f} s")
    return total


async def _templates(url: str, token: str) -> list[Pipeline]:
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False) as client:
        answer = (await client.get("/v1/pipeline-templates")).raise_for_status()
    return [Pipeline(item["id"], item["name"], item["stages"]) for item in answer.json()["items"]]


def _definitions(year: Year, pipelines: Sequence[Pipeline]) -> list[Item]:
    begin = (year.until - timedelta(days=366)).isoformat()
    return [
        Item(
            key=f"demo-pipeline-{pipeline.id}",
            command="pipelines.define",
            id=pipeline.id,
            data={"name": pipeline.name, "stages": pipeline.stages},
            occurred_at=begin,
        )
        for pipeline in pipelines
    ]


async def _send(sender: Sender, groups: Iterable[Sequence[Item]]) -> int:
    sent = 0
    for slice_ in slices(groups):
        for outcome in await sender.send(slice_):
            if outcome.problem and outcome.problem.get("code") not in THERE:
                raise Failure(f"The demo data was refused: {outcome.item.command} {outcome.problem}.")
        sent += len(slice_)
    return sent
