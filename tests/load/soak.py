"""Half the highest rate for a long time; then each process ended under load, and started again at once."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.load.client import Troubles
from tests.load.pace import Load, Measured, share
from tests.load.sampling import Sampler, Verdict
from tests.load.search import PROMISED_MS, Tell
from tests.system.running import NAMES, System

MOST_SAMPLES = 180
TELL_EVERY = 15.0
WARM = 10.0
# Before a process is ended, and after it is back: load as ever.
AROUND = 4.0
CAUGHT_UP_MS = 2000.0


async def soak(load: Load, sampler: Sampler, rate: float, minutes: float, tell: Tell) -> Measured:
    await load.run(rate, WARM)
    load.troubles()
    sampler.series.clear()
    measured = Measured(rate)
    ended = asyncio.Event()
    watching = asyncio.create_task(_watch(sampler, measured, minutes, ended, tell))
    await load.run(rate, minutes * 60, until=ended, measured=measured)
    ended.set()
    await watching
    return measured


async def _watch(
    sampler: Sampler, measured: Measured, minutes: float, ended: asyncio.Event, tell: Tell
) -> None:
    """Raises nothing before the end of the soak: what cannot be sampled ends it."""
    began = told = time.monotonic()
    pause = max(2.0, minutes * 60 / MOST_SAMPLES)
    try:
        while not ended.is_set():
            await asyncio.to_thread(sampler.sample)
            if time.monotonic() - told >= TELL_EVERY:
                told = time.monotonic()
                recent = sorted(measured.recent)
                del measured.recent[:]
                failed = measured.failures.total() + measured.overloaded
                tell(
                    f"{(told - began) / 60:5.1f} of {minutes:g} minutes: {measured.planned} requests, "
                    f"p99 {share(recent, 0.99):.1f} ms of the last {len(recent)}, {failed} failed"
                )
            try:
                await asyncio.wait_for(ended.wait(), pause)
            except TimeoutError:
                continue
    finally:
        ended.set()


def soaked(measured: Measured, troubles: Troubles) -> Iterator[Verdict]:
    """Nothing is restarted during the soak, so nobody may be refused a connection or lose one."""
    failed = measured.failures.total() + measured.overloaded
    yield Verdict(
        "no request of the soak fails", not failed, f"{failed} of {measured.planned}: {_first(measured)}"
    )
    yield Verdict("no connection is refused or lost", not troubles.any, str(troubles))
    p99 = measured.share(0.99)
    yield Verdict(
        f"p99 under {PROMISED_MS:g} ms at half the highest rate", p99 < PROMISED_MS, f"{p99:.1f} ms"
    )


@dataclass(slots=True)
class Restart:
    name: str
    measured: Measured
    troubles: Troubles = field(default_factory=Troubles)
    stopping: float = 0.0
    starting: float = 0.0

    def about(self) -> dict[str, Any]:
        return {
            "service": self.name,
            "stopping_s": round(self.stopping, 2),
            "starting_s": round(self.starting, 2),
            "connections": {name: getattr(self.troubles, name) for name in Troubles.__slots__},
            "requests": self.measured.about(),
        }

    def line(self) -> str:
        return (
            f"{self.name}: ended in {self.stopping:.1f} s, ready {self.starting:.1f} s later; of "
            f"{self.measured.planned} requests {self.measured.failures.total() + self.measured.overloaded} failed, "
            f"the longest took {self.measured.share(1) / 1000:.1f} s; {self.troubles.cut} met a closing connection, "
            f"{self.troubles.unanswered} of them carried out"
        )


async def restart_each(load: Load, system: System, rate: float, tell: Tell) -> list[Restart]:
    done = []
    for name in NAMES:
        done.append(await _restart(load, system, name, rate))
        tell(done[-1].line())
    return done


async def _restart(load: Load, system: System, name: str, rate: float) -> Restart:
    load.troubles()
    restart = Restart(name, Measured(rate))
    over = asyncio.Event()
    running = asyncio.create_task(load.run(rate, 600, until=over, measured=restart.measured))
    try:
        await asyncio.sleep(AROUND)
        began = time.monotonic()
        await asyncio.to_thread(system.stop, [name])
        restart.stopping = time.monotonic() - began
        await asyncio.to_thread(system.start, [name])
        restart.starting = time.monotonic() - began - restart.stopping
        await asyncio.sleep(AROUND)
    finally:
        over.set()
        await running
    restart.troubles = load.troubles()
    return restart


def restarted(restart: Restart) -> Iterator[Verdict]:
    measured, troubles = restart.measured, restart.troubles
    failed = measured.failures.total() + measured.overloaded
    of = f"while {restart.name} restarts"
    yield Verdict(f"no request fails {of}", not failed, f"{failed} of {measured.planned}: {_first(measured)}")
    unanswered = troubles.unanswered + troubles.halves
    yield Verdict(
        f"whatever is carried out is answered {of}", not unanswered, f"{unanswered} of {troubles.cut} cut"
    )


async def caught_up(sampler: Sampler, patience: float = 60.0) -> bool:
    """Analytics knows all up to two seconds ago."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if await asyncio.to_thread(sampler.behind) < CAUGHT_UP_MS:
            return True
        await asyncio.sleep(0.2)
    return False


def _first(measured: Measured) -> str:
    if measured.failures:
        return next(iter(measured.failures))
    return "refused as too much" if measured.overloaded else "none"
