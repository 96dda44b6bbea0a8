"""The four services in this process, each with its own database, and some records made by real commands."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from random import Random
from typing import Any

import httpx
from fastapi import FastAPI
from kernel.runtime.embedded import EmbeddedPostgres
from kernel.runtime.settings import Role
from kernel.storage.migrations import upgrade
from kernel.testing.fixtures import api, make_settings, new_key, running
from kernel.testing.servers import fresh_database
from kernel.web.tokens import Place
from opportunities.pipeline.templates import SEVEN_STAGES

from tests.analytics.streams import PIPELINES
from tests.analytics.telling import INCARNATION, Teller
from tests.analytics.worlds import world
from tests.contacts import requests as of_contacts
from tests.opportunities import calls
from tests.service_desk import requests as of_the_desk
from tests.system.random_requests.records import Records

PACKAGES = ("contacts", "opportunities", "service_desk", "analytics")
Fit = Callable[[httpx.AsyncClient, str], Awaitable[str | None]]


@dataclass
class Host:
    """One service under test."""

    app: FastAPI
    client: httpx.AsyncClient
    records: Records
    fit: Fit


@asynccontextmanager
async def host(server: EmbeddedPostgres, package: str) -> AsyncIterator[Host]:
    url = server.url(fresh_database(server))
    module = import_module(f"{package}.app")
    await upgrade(url, module.service.package, module.service.known_views, module.service.published_types)
    app = module.create(make_settings(url, role=Role.API, feed_wait=0.01))
    async with running(app), api(app) as client:
        made = Host(app, client, Records(), FITS[package])
        if package == "analytics":
            await _tell(url, made.records, app.state.node.secret)
        elif package == "opportunities":
            await calls.define_seven_stages(client)
            made.records.stages = [stage.stage_id for stage in SEVEN_STAGES.english.stages]
        yield made


async def _tell(url: str, records: Records, secret: bytes) -> None:
    """Analytics hears a year of random deals, orders and complaints through its own sink."""
    async with Teller(url) as teller:
        await teller.tell(*world(Random(7), size=20).histories)
        records.positions = await teller.position()
    records.ids["pipelines"] = [str(id) for id in PIPELINES]
    records.tokens.append(Place("opportunities", INCARNATION, 1).token(secret))


async def fresh(made: Host, operation: str) -> None:
    """A few records in the state that this operation needs."""
    made.records.fit = []
    for _ in range(4):
        id = await made.fit(made.client, operation)
        if id is not None:
            answer = await made.client.get(f"/v1/{collection(operation)}/{id}")
            made.records.add(collection(operation), id, answer.headers["ETag"])
            made.records.fit.append(id)


def collection(operation: str) -> str:
    return operation.split(".", maxsplit=1)[0]


async def _of_contacts(client: httpx.AsyncClient, operation: str) -> str | None:
    if collection(operation) not in ("companies", "contacts"):
        return None
    what = "company" if collection(operation) == "companies" else "contact"
    return str((await of_contacts.register(client, what))["id"])


async def _of_opportunities(client: httpx.AsyncClient, operation: str) -> str | None:
    kind = collection(operation)
    if kind == "pipelines":
        pipeline = await calls.define(client)
        if operation == "pipelines.reinstate":
            await client.post(f"/v1/pipelines/{pipeline['id']}/retire", json={}, headers=new_key())
        return str(pipeline["id"])
    if kind == "orders":
        return str((await calls.place(client))["id"])
    if kind != "opportunities":
        return None
    deal = await calls.create(client)
    if operation == "opportunities.reopen":
        await calls.ask(client, deal, "lose", reason="price")
    if operation == "opportunities.void-stage-entry":
        stages: list[dict[str, Any]] = (await client.get(f"/v1/pipelines/{calls.SEVEN}")).json()["stages"]
        await calls.ask(client, deal, "enter-stage", stage_id=stages[-1]["stage_id"])
    return str(deal["id"])


async def _of_the_desk(client: httpx.AsyncClient, operation: str) -> str | None:
    if operation in of_the_desk.OPERATIONS:
        return await of_the_desk.record_for(client, operation)
    if operation.startswith("complaints."):
        return str((await of_the_desk.register(client))["id"])
    return None


async def fit_of_nobody(_: httpx.AsyncClient, __: str) -> str | None:
    return None


FITS: dict[str, Fit] = {
    "contacts": _of_contacts,
    "opportunities": _of_opportunities,
    "service_desk": _of_the_desk,
    "analytics": fit_of_nobody,
}
