"""What is done to processes, servers and wires. Each fault says what it touches, and from when on recovery counts."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from random import Random

from tests.chaos.live.fleet import PLACES, SECOND, WRITING, Place, until_ready
from tests.chaos.live.world import World

# Longer than a lease lasts, and than anybody may keep the log's lock.
STOPPED = (2.5, 6.0)
# Shorter than the broker's session with itself, and longer.
BROKER_STOPPED = (1.0, 4.5)
ON_THE_WIRE = (0.5, 3.0)
DELAYS = (0.02, 0.3)
_LOOKS, _BETWEEN_LOOKS = 60, 0.01


@dataclass(frozen=True, slots=True)
class Healed:
    """Since when the failed part can work again, and which services must then be seen to work, asked where."""

    since: float
    services: Sequence[str] = WRITING
    api: str = ""


Fault = Callable[[World, Random], Awaitable[Healed]]


@dataclass(frozen=True, slots=True)
class Kind:
    """`weight`: how often, against the others. Two that touch the same are never under way together."""

    name: str
    fault: Fault
    weight: float
    touches: frozenset[str]
    # Where it is left out: no C compiler, for one.
    needs_preload: bool = False
    overlaps: bool = True


def affected(place: Place) -> Sequence[str]:
    return WRITING if place.service == "analytics" else (place.service,)


def killing(name: str) -> Fault:
    async def kill(world: World, _: Random) -> Healed:
        place, since = world.fleet.place(name), time.monotonic()
        await asyncio.to_thread(world.fleet.kill, name)
        await asyncio.to_thread(world.fleet.launch, place)
        return Healed(since, affected(place))

    return kill


def stopping(name: str) -> Fault:
    async def stop(world: World, random: Random) -> Healed:
        await frozen(world.fleet.processes[name].pid, random.uniform(*STOPPED))
        return Healed(time.monotonic(), affected(world.fleet.place(name)))

    return stop


async def frozen(pid: int, seconds: float) -> None:
    os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        os.kill(pid, signal.SIGCONT)


async def stop_who_holds_the_lock(world: World, random: Random) -> Healed:
    """The other process of the same service goes on, long before the stopped one does."""
    pid = world.fleet.processes["opportunities-api"].pid
    for _ in range(_LOOKS):
        os.kill(pid, signal.SIGSTOP)
        since = time.monotonic()
        if await asyncio.to_thread(world.fleet.log_lock_held_over, "opportunities"):
            break
        os.kill(pid, signal.SIGCONT)
        await asyncio.sleep(random.uniform(0, _BETWEEN_LOOKS))
    else:
        os.kill(pid, signal.SIGSTOP)
    thawing = asyncio.create_task(asyncio.sleep(random.uniform(5.0, 9.0)))
    thawing.add_done_callback(lambda _: os.kill(pid, signal.SIGCONT))
    world.thawing.append(thawing)
    return Healed(since, ("opportunities",), "opportunities-api-2")


def two_workers(service: str) -> Fault:
    async def compete(world: World, random: Random) -> Healed:
        """The first one stops for longer than its lease; then it wakes up, and there are two."""
        first, second = f"{service}-worker", SECOND[f"{service}-worker"]
        if second.name not in world.fleet.processes:
            await asyncio.to_thread(world.fleet.launch, second)
            await until_ready(world.fleet, [second.name])
        await frozen(world.fleet.processes[first].pid, random.uniform(*STOPPED))
        since = time.monotonic()
        if random.random() < 0.5:
            await asyncio.to_thread(world.fleet.kill, second.name)
            since = time.monotonic()
        return Healed(since, affected(second))

    return compete


async def kill_postgres(world: World, _: Random) -> Healed:
    await asyncio.to_thread(world.fleet.kill_postgres)
    await asyncio.to_thread(world.fleet.start_postgres)
    return Healed(time.monotonic())


async def stop_postgres(world: World, random: Random) -> Healed:
    world.fleet.signal_postgres(signal.SIGSTOP)
    try:
        await asyncio.sleep(random.uniform(*STOPPED))
    finally:
        world.fleet.signal_postgres(signal.SIGCONT)
    return Healed(time.monotonic())


async def kill_kafka(world: World, _: Random) -> Healed:
    await asyncio.to_thread(world.fleet.kafka.kill)
    await asyncio.to_thread(world.fleet.kafka.start)
    return Healed(time.monotonic())


async def stop_kafka(world: World, random: Random) -> Healed:
    await frozen(world.fleet.kafka.pid, random.uniform(*BROKER_STOPPED))
    return Healed(time.monotonic())


def on_the_wire(name: str, mode: str) -> Fault:
    async def disturb(world: World, random: Random) -> Healed:
        wires = world.fleet.wires
        await asyncio.to_thread(wires.set, name, mode, random.uniform(*DELAYS))
        await asyncio.sleep(random.uniform(*ON_THE_WIRE))
        await asyncio.to_thread(wires.set, name, "pass")
        services = WRITING if name == "kafka" else affected(world.fleet.place(name))
        return Healed(time.monotonic(), services)

    return disturb


MODES = ("delay", "hold", "deaf", "cut", "half")


def plain() -> list[Kind]:
    """Kills, stops, and wires."""
    kinds = []
    for place in PLACES:
        if not place.spared:
            kinds.append(_of(place, f"kill {place.role}", killing(place.name), 3.0))
            kinds.append(_of(place, f"stop {place.role}", stopping(place.name), 0.5))
        for mode in MODES:
            kinds.append(_of(place, f"postgres wire: {mode}", on_the_wire(place.name, mode), 0.25))
    kinds += [
        _of(place, "two workers, one stopped", two_workers(place.service), 0.6)
        for place in PLACES
        if place.role == "worker"
    ]
    kinds += [
        Kind(f"kafka wire: {mode}", on_the_wire("kafka", mode), 0.8, frozenset(["kafka"])) for mode in MODES
    ]
    api = frozenset(["opportunities-api"])
    return [
        *kinds,
        Kind("stop who holds the log's lock", stop_who_holds_the_lock, 1.5, api, overlaps=False),
        Kind("kill postgres", kill_postgres, 5.0, frozenset(["postgres"])),
        Kind("stop postgres", stop_postgres, 1.0, frozenset(["postgres"])),
        Kind("kill broker", kill_kafka, 1.5, frozenset(["kafka"])),
        Kind("stop broker", stop_kafka, 1.0, frozenset(["kafka"])),
    ]


def _of(place: Place, name: str, fault: Fault, weight: float) -> Kind:
    return Kind(name, fault, weight, frozenset([place.name]))
