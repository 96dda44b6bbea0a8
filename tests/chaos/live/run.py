"""One run: clients at work, one fault after another and sometimes two at once, checks all the while and at the end."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from random import Random

import httpx
import psycopg

from tests.chaos.live.checks_erased import ErasureChecks
from tests.chaos.live.checks_figures import FigureChecks
from tests.chaos.live.checks_lists import ListChecks
from tests.chaos.live.checks_processes import ProcessChecks
from tests.chaos.live.ending import end
from tests.chaos.live.faults import Healed, Kind
from tests.chaos.live.fleet import PLACES, WRITING, Fleet, until_ready
from tests.chaos.live.report import ENOUGH, RECOVERY, Report
from tests.chaos.live.world import World

# How often the middle of a run is looked at, and how often it is told how far it is.
LOOK_EVERY, TELL_EVERY = 12.0, 30.0
BROKEN_EVERY = 0.5
# Of so many faults one comes while another is under way.
OVERLAP = 0.2
# Clients work so long before the first fault, and processes are counted then.
WARMING_UP = 5.0
QUIET_WITHIN = 120.0
MEMORY_EVERY = 30.0
# Who ends sooner after its start than this has found something missing that it needs.
SUPERVISE_EVERY, STARTING = 0.3, 20.0
# A look that could not be finished, because something was away, looks as far back the next time.
MARGIN = 5.0
# How long the tape may take to be where the topic is.
CATCHING_UP = 60.0

AWAY = (psycopg.Error, TimeoutError, httpx.HTTPError, OSError)


class Run:
    def __init__(self, fleet: Fleet, report: Report, kinds: Sequence[Kind], rate: float) -> None:
        self.fleet = fleet
        self.report = report
        self.kinds = kinds
        self.world = World(fleet, report.seed, rate)
        self.random = Random(report.seed)
        self.figures = FigureChecks(fleet, self.world.findings)
        self.world.on_restore += [self.world.topics.restored, self.figures.restored]
        self.processes = ProcessChecks(fleet, self.world.findings)
        self.erasures = ErasureChecks(fleet, self.world.findings)
        self.lists = ListChecks(fleet, self.world.findings)
        self._looked = dict.fromkeys(WRITING, 0.0)

    async def go(self, seconds: float) -> None:
        """Fault after fault."""
        async with self._watched():
            while self.report.elapsed < seconds:
                await self._inject(*self._some())

    async def go_through(self, script: Sequence[Kind]) -> None:
        """These, one after the other."""
        async with self._watched():
            for kind in script:
                await self._inject(kind)

    @asynccontextmanager
    async def _watched(self) -> AsyncIterator[None]:
        await until_ready(self.fleet, [place.name for place in PLACES])
        await self.world.begin()
        await asyncio.sleep(WARMING_UP)
        await asyncio.to_thread(self.processes.begin)
        self._others = [
            asyncio.create_task(each)
            for each in (self._look(), self._tell(), self._note_memory(), self._supervise())
        ]
        self.report.began = time.monotonic()
        try:
            yield
        finally:
            await end(*self._others)

    async def until_broken(self, promises: Sequence[str]) -> None:
        while not self.broken(promises):  # noqa: ASYNC110
            await asyncio.sleep(BROKEN_EVERY)

    def broken(self, promises: Sequence[str]) -> bool:
        return any(self.world.findings.counts[promise] for promise in promises)

    def _some(self) -> Sequence[Kind]:
        first = self._choose(self.kinds)
        others = [kind for kind in self.kinds if kind.overlaps and not kind.touches & first.touches]
        if first.overlaps and others and self.random.random() < OVERLAP:
            return first, self._choose(others)
        return (first,)

    async def _inject(self, *chosen: Kind) -> None:
        for kind in chosen:
            self.report.injected[kind.name] += 1
        self.report.now = " + ".join(kind.name for kind in chosen)
        healed = await asyncio.gather(*(kind.fault(self.world, self.random) for kind in chosen))
        seconds = await asyncio.gather(*(self._recovery(each) for each in healed))
        if len(chosen) == 1:
            self.report.recoveries[chosen[0].name].append(seconds[0])
        else:
            self.report.overlapping += seconds
        await asyncio.gather(*self.world.thawing)
        self.world.thawing.clear()
        self.world.failed_clients()
        for other in self._others:
            if other.done():
                other.result()

    async def _recovery(self, healed: Healed) -> float:
        return await self.world.recovered(healed.services, healed.since, healed.api)

    def _choose(self, kinds: Sequence[Kind]) -> Kind:
        return self.random.choices(kinds, [kind.weight for kind in kinds])[0]

    # All the while

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            for service in WRITING:
                with suppress(*AWAY):
                    await self.look(service)

    async def look(self, service: str) -> None:
        world, now = self.world, time.monotonic()
        async with world.steady[service]:
            await asyncio.to_thread(world.logs.recent, service, self._looked[service] - MARGIN)
            self._looked[service] = now
            if answer := await world.ask("/v1/freshness"):
                await asyncio.to_thread(self.figures.freshness, service, answer)
            upto = await asyncio.to_thread(world.topics.passed_on, service)
            await asyncio.wait_for(world.tape.catch_up(), CATCHING_UP)
            await asyncio.to_thread(world.topics.check, service, upto)

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(TELL_EVERY)
            self.report.progress(self.world.ledger, self.world.findings)

    async def _supervise(self) -> None:
        while True:
            await asyncio.sleep(SUPERVISE_EVERY)
            for name, lived in await asyncio.to_thread(self.fleet.revive):
                self.report.revived[name] += 1
                if lived > STARTING:
                    self.world.findings.add("no process ends by itself", f"{name}, after {lived:.0f} s")

    async def _note_memory(self) -> None:
        while True:
            with suppress(*AWAY, KeyError):
                self.processes.note_memory()
            await asyncio.sleep(MEMORY_EVERY)

    # The end

    async def finish(self) -> None:
        """Nothing is under way any more: everything is held against everything."""
        world = self.world
        await world.end_clients()
        await asyncio.to_thread(self.fleet.revive)
        for place in PLACES:
            if place.name not in self.fleet.processes:
                await asyncio.to_thread(self.fleet.launch, place)
        await until_ready(self.fleet, [place.name for place in PLACES])
        await self._quiet()
        for service in WRITING:
            upto = await asyncio.to_thread(world.topics.passed_on, service)
            await asyncio.wait_for(world.tape.catch_up(), QUIET_WITHIN)
            await asyncio.to_thread(world.topics.check, service, upto)
            await asyncio.to_thread(world.logs.whole, service)
            await asyncio.to_thread(self.figures.heard, service)
        await asyncio.to_thread(self.figures.figures)
        await asyncio.to_thread(self.processes.end)
        await asyncio.to_thread(self.lists.whole)
        await asyncio.to_thread(self.erasures.whole)
        self.report.said["records_in_lists"] = self.lists.records
        self.report.said["persons_erased"] = self.erasures.persons
        self.report.said["words_of_others_seen"] = self.erasures.words_seen
        self.report.said["memory_growth_in_10_minutes"] = self.processes.growth()
        self.report.said["megabytes_every_other_minute"] = self.processes.megabytes()
        recoveries = self.report.all_recoveries
        late = sorted(recoveries)[int(len(recoveries) * 0.99)] if len(recoveries) >= ENOUGH else 0.0
        if late > RECOVERY:
            world.findings.add("recovery within 5 s, 99 times of 100", f"p99 is {late:.1f} s")

    async def _quiet(self) -> None:
        """Until timers, relays, followers and forgetting have done all there is to do."""
        deadline = time.monotonic() + QUIET_WITHIN
        while behind := await asyncio.to_thread(self._behind):
            if time.monotonic() > deadline:
                self.world.findings.add("everything is passed on and heard in the end", "; ".join(behind))
                return
            await asyncio.sleep(0.5)

    def _behind(self) -> list[str]:
        rows, found = self.fleet.rows, []
        erased = rows("contacts", "SELECT count(*) FROM events WHERE type = 'PersonErased'")[0][0]
        known = {
            each["source"]: each for each in self.fleet.system.get("analytics", "/v1/freshness")["sources"]
        }
        if parked := rows("analytics", "SELECT count(*) FROM parked")[0][0]:
            found.append(f"{parked} records are parked")
        for name in WRITING:
            newest = rows(name, "SELECT coalesce(max(position), 0) FROM events")[0][0]
            late = rows(name, "SELECT count(*) FROM timers WHERE due_at < clock_timestamp()")[0][0]
            forgotten = rows(name, "SELECT count(*) FROM events WHERE type = 'PersonForgotten'")[0][0]
            if (known[name]["position"] or 0) < newest:
                found.append(f"analytics knows {name} up to {known[name]['position']} of {newest}")
            if late:
                found.append(f"{name} has {late} timers due")
            if name != "contacts" and forgotten < erased:
                found.append(f"{name} has forgotten {forgotten} of {erased} persons")
        return found
