"""What operators and data do: a backup restored, views made again, migrations, a record that a view cannot take."""

import asyncio
import time
from random import Random

import psycopg
from kernel.runtime.guarded import ServerProblem

from tests.chaos.live.faults import Fault, Healed
from tests.chaos.live.fleet import PLACES, Place, until_ready
from tests.chaos.live.wishes import new_id
from tests.chaos.live.wishes_sales import Deal
from tests.chaos.live.world import World

BACKUP = "_backup"
CATCHING_UP = 30.0
# Between the backup and its restore commands are acknowledged that the restore takes back.
BETWEEN = (3.0, 8.0)
VIEWS = {
    "contacts": ("contact_directory", "company_directory"),
    "opportunities": ("opportunity_pipeline", "pipeline_directory", "order_listing"),
    "service-desk": ("complaint_queue",),
    "analytics": ("pipelines", "deals", "customers", "complaints", "orders"),
}
_TRIES, _PAUSE = 100, 0.1
_MIGRATION_TRIES = 20

OPERATED = "what operators run under load succeeds"


def restoring(service: str) -> Fault:
    async def restore(world: World, random: Random) -> Healed:
        """Whoever was acknowledged before the backup stays; whoever sent afterwards is gone, and nobody else."""
        async with world.steady[service]:
            await copied(world, service)
        await asyncio.sleep(random.uniform(*BETWEEN))
        async with world.steady[service]:
            since, until = world.backed_up[service]
            await world.stop_clients(service)
            await asyncio.to_thread(world.logs.recent, service, since)
            # Nobody who asks the topic what it holds may find it half written down.
            await asyncio.wait_for(world.tape.catch_up(), CATCHING_UP)
            places = await killed(world, service)
            database = world.fleet.system.databases[service]
            await asyncio.to_thread(world.fleet.postgres.drop_database, database)
            await copy(world, f"{database}{BACKUP}", database)
            await asyncio.to_thread(world.fleet.postgres.drop_database, f"{database}{BACKUP}")
            await operate(world, service, "restored", service)
            world.ledger.restore(service, since, until)
            if service == "contacts":
                world.persons.clear()
            for told in world.on_restore:
                told(service)
            began = await started(world, places)
            world.start_clients(service)
        return Healed(began, (service,))

    return restore


async def copied(world: World, service: str) -> None:
    """A backup of a moment at which nobody writes; the clients go on asking, and get no answer meanwhile."""
    since = time.monotonic()
    places = await killed(world, service)
    database = world.fleet.system.databases[service]
    await copy(world, database, f"{database}{BACKUP}")
    until = time.monotonic()
    world.backed_up[service] = (since, until)
    await started(world, places)


async def killed(world: World, service: str) -> list[Place]:
    places = world.fleet.of_service(service)
    for place in places:
        await asyncio.to_thread(world.fleet.kill, place.name)
    return [place for place in PLACES if place in places]


async def started(world: World, places: list[Place]) -> float:
    """Since when the service accepts requests again."""
    for place in places:
        await asyncio.to_thread(world.fleet.launch, place)
    await until_ready(world.fleet, [place.name for place in places])
    return time.monotonic()


async def copy(world: World, template: str, name: str) -> None:
    """The connections of a killed process go when the server notices."""
    for attempt in range(_TRIES):
        try:
            await asyncio.to_thread(world.fleet.copy_database, template, name)
            return
        except ServerProblem:
            if attempt == _TRIES - 1:
                raise
            await asyncio.sleep(_PAUSE)


async def operate(world: World, service: str, *words: str) -> str:
    """A command of the product's own; a failure is a violation."""
    done = await asyncio.to_thread(lambda: world.fleet.system.crm(*words, name=service))
    if done.returncode:
        world.findings.add(OPERATED, f"crm {' '.join(words)}: {done.stderr.strip()[-400:]}")
    return done.stdout


def rebuilding(service: str) -> Fault:
    async def rebuild(world: World, random: Random) -> Healed:
        await operate(world, service, "rebuild", service, random.choice(VIEWS[service]))
        return Healed(time.monotonic())

    return rebuild


async def poisoned(world: World, random: Random) -> Healed:
    """A deal that a view's table will not have: its records wait, all others flow, and nothing is lost by it."""
    client, deal = world.client("opportunities"), Deal(new_id(random), random)
    change = world.fleet.change
    try:
        await client.carry_out([deal.wish()])
        query = "SELECT version FROM views WHERE name = 'deals' AND live"
        live = await asyncio.to_thread(world.fleet.rows, "analytics", query)
        table = f"deals_states_{live[0][0]}"
        worn = f"ALTER TABLE {table} ADD CONSTRAINT worn CHECK (id <> '{deal.id}') NOT VALID"
        await asyncio.to_thread(change, "analytics", worn)
        for _ in range(3):
            await client.carry_out([deal.wish()])
        await world.recovered(["opportunities"], time.monotonic())
        await asyncio.to_thread(change, "analytics", f"ALTER TABLE {table} DROP CONSTRAINT worn")
        await operate(world, "analytics", "parked", "analytics", "--release")
    finally:
        await client.close()
    return Healed(time.monotonic(), ("opportunities",))


def migrating(service: str) -> Fault:
    async def migrate(world: World, random: Random) -> Healed:
        """As the rules of migrations say: a column under the log's lock, with little patience; an index beside."""
        change = world.fleet.change
        await patiently(world, service, "ALTER TABLE events ADD COLUMN IF NOT EXISTS chaos_note text")
        await asyncio.to_thread(
            change, service, "CREATE INDEX CONCURRENTLY IF NOT EXISTS chaos_note ON events (recorded_at)"
        )
        await asyncio.sleep(random.uniform(0.5, 2.0))
        await asyncio.to_thread(change, service, "DROP INDEX CONCURRENTLY IF EXISTS chaos_note")
        await patiently(world, service, "ALTER TABLE events DROP COLUMN IF EXISTS chaos_note")
        await operate(world, service, "migrate", service)
        return Healed(time.monotonic(), (service,))

    return migrate


async def patiently(world: World, service: str, statement: str) -> None:
    for _ in range(_MIGRATION_TRIES):
        try:
            await asyncio.to_thread(world.fleet.change_under_lock, service, statement)
            return
        except psycopg.errors.LockNotAvailable:
            await asyncio.sleep(_PAUSE)
    world.findings.add(OPERATED, f"{service}: {statement} got no lock in {_MIGRATION_TRIES} tries")
