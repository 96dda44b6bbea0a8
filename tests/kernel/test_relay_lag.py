"""How far the relay is behind: told while a broker is away too, and by nobody who does not relay."""

import asyncio

from kernel.messaging.relay import Relay
from kernel.runtime.embedded import EmbeddedPostgres
from kernel.storage.lease import held
from prometheus_client import REGISTRY

from tests.kernel.notes import Notes, notes

NOBODY_LISTENS = "127.0.0.1:9"


async def test_what_waits_for_a_broker_that_is_away_is_counted(postgres_server: EmbeddedPostgres) -> None:
    async with notes(postgres_server, NOBODY_LISTENS, topic=False) as desk:
        await desk.write("one", "two", "three")
        async with desk.relaying():
            await shown(desk, 3)
            await desk.write("four")
            await shown(desk, 4)


async def test_a_worker_that_no_longer_relays_shows_no_figure(postgres_server: EmbeddedPostgres) -> None:
    async with notes(postgres_server, NOBODY_LISTENS, topic=False) as desk:
        await desk.write("one")
        assert lag(desk) is None
        async with desk.relaying():
            await shown(desk, 1)
        assert lag(desk) is None


async def test_a_relay_that_has_caught_up_is_behind_by_nothing(postgres_server: EmbeddedPostgres) -> None:
    async with notes(postgres_server, NOBODY_LISTENS, topic=False) as desk:
        await desk.write(*"many", *"more")
        async with held(desk.node.database, "by-feed") as (lease, _):
            relay = asyncio.create_task(Relay(desk.node, None).run(lease))
            await desk.passed_on(relay)
            await shown(desk, 0)
            relay.cancel()
            await asyncio.wait([relay])


async def shown(desk: Notes, events: int) -> None:
    async with asyncio.timeout(20):
        while lag(desk) != events:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def lag(desk: Notes) -> float | None:
    return REGISTRY.get_sample_value("crm_relay_lag_events", {"topic": desk.topic})
