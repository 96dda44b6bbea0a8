"""What operators watch of analytics: how old its knowledge is and what is parked, told by nobody but who follows."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from random import Random

import pytest
from analytics.app import service
from analytics.freshness.gauges import Gauges
from kernel.messaging.service import Node
from kernel.storage.lease import held
from kernel.testing.fixtures import make_settings
from prometheus_client import REGISTRY

from tests.analytics.telling import COMPLETE_AT, Teller
from tests.analytics.worlds import world


def lag(source: str) -> float | None:
    return REGISTRY.get_sample_value("crm_projection_lag_seconds", {"source": source})


def parked(view: str) -> float | None:
    return REGISTRY.get_sample_value("crm_parked_records", {"follower": view})


@pytest.fixture
async def node(url: str) -> AsyncIterator[Node]:
    made = Node(service, make_settings(url))
    yield made
    await made.database.close()


async def test_the_age_of_what_is_known_of_each_source_is_told(teller: Teller, node: Node) -> None:
    await teller.complete("contacts", 5)
    await Gauges(node).tell()
    async with teller.database.driver() as connection:
        age = (await connection.fetchval("SELECT now()") - COMPLETE_AT).total_seconds()
    assert lag("contacts") == pytest.approx(age, abs=60)
    assert lag("opportunities") is None


async def test_what_a_view_has_parked_is_counted_until_it_is_gone(teller: Teller, node: Node) -> None:
    records = teller.records(world(Random(1)).histories, Random(1))
    unreadable = next(record for record in records if record.type.endswith("opportunity-created.v1"))
    await teller.hear([replace(unreadable, data={})])
    await Gauges(node).tell()
    assert (parked("deals"), parked("complaints")) == (1, 0)
    async with teller.database.driver() as connection:
        await connection.execute("DELETE FROM parked")
    await Gauges(node).tell()
    assert parked("deals") == 0


async def test_a_worker_that_no_longer_follows_shows_no_figures(teller: Teller, node: Node) -> None:
    await teller.complete("contacts", 5)
    async with held(node.database, "gauges") as (lease, _):
        telling = asyncio.create_task(Gauges(node).run(lease))
        async with asyncio.timeout(20):
            while lag("contacts") is None or parked("deals") is None:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        telling.cancel()
        await asyncio.wait([telling])
    assert (lag("contacts"), parked("deals")) == (None, None)
