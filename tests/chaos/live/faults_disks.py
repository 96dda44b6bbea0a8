"""Disks and clocks: slow and failing fsync, a full disk, a wall clock that jumps. All by the preloaded library."""

import asyncio
import time
from random import Random

from tests.chaos.live.faults import Fault, Healed, affected
from tests.chaos.live.world import World

POSTGRES = "postgres"
SLOW = (20_000, 250_000)  # microseconds for each fsync
LASTS = (1.0, 3.0)
# A full disk may stop the server for good: it is started again when there is room.
FULL = (0.3, 2.0)
# As far as a clock of a machine without NTP is off, or one that was set to another zone.
JUMPS = (-3600, -90, -2, 2, 90, 3600)


async def slow_fsync(world: World, random: Random) -> Healed:
    preload = world.fleet.preload
    preload.order(POSTGRES, "fsync_delay_us", random.randint(*SLOW))
    await asyncio.sleep(random.uniform(*LASTS))
    preload.order(POSTGRES, "fsync_delay_us", 0)
    return Healed(time.monotonic())


async def failing_fsync(world: World, _: Random) -> Healed:
    """PostgreSQL trusts no disk that failed once: it ends all its processes, and recovers from its log."""
    world.fleet.preload.order(POSTGRES, "fsync_failures", 1)
    await asyncio.sleep(0.5)
    world.fleet.preload.order(POSTGRES, "fsync_failures", 0)
    await postgres_back(world)
    return Healed(time.monotonic())


async def full_disk(world: World, random: Random) -> Healed:
    world.fleet.preload.order(POSTGRES, "disk_full", 1)
    await asyncio.sleep(random.uniform(*FULL))
    world.fleet.preload.order(POSTGRES, "disk_full", 0)
    await postgres_back(world)
    return Healed(time.monotonic())


async def postgres_back(world: World) -> None:
    """Until it accepts connections; one that has given up is started."""
    fleet = world.fleet
    while True:
        if not fleet.postgres.running:
            await asyncio.to_thread(fleet.start_postgres)
        if await asyncio.to_thread(fleet.accepts_connections):
            return
        await asyncio.sleep(0.05)


def jumping_clock(name: str) -> Fault:
    async def jump(world: World, random: Random) -> Healed:
        preload = world.fleet.preload
        preload.order(name, "clock_offset_s", random.choice(JUMPS))
        await asyncio.sleep(random.uniform(*LASTS))
        preload.order(name, "clock_offset_s", 0)
        return Healed(time.monotonic(), affected(world.fleet.place(name)))

    return jump
