"""Requests by a clock: each has its moment, however the ones before it fare, and its time runs from that moment."""

import asyncio
import re
import time
from array import array
from collections import Counter
from dataclasses import dataclass, field
from random import Random

from tests.load.client import Client, Troubles
from tests.load.mix import Ask, Mix

# Whoever waits longer has been forgotten.
PATIENCE = 60.0
# A step that is so many seconds of its arrivals behind is lost; the rest of it would only take time.
HOPELESS = 2.0
_FAILURES_KEPT = 20
_CODE = re.compile(rb'"code":"(\w+)"')


@dataclass(slots=True)
class Measured:
    """Times in milliseconds, from the planned moment to the last byte of the answer."""

    rate: float
    seconds: float = 0.0
    planned: int = 0
    times: dict[str, "array[float]"] = field(default_factory=dict)
    failures: Counter[str] = field(default_factory=Counter)
    overloaded: int = 0
    # How late the requests left, and how much of one processor the generator took.
    late: "array[float]" = field(default_factory=lambda: array("d"))
    processor: float = 0.0
    given_up: bool = False
    # For the current minute's progress.
    recent: "array[float]" = field(default_factory=lambda: array("d"))

    @property
    def all_times(self) -> list[float]:
        return sorted(value for values in self.times.values() for value in values)

    def share(self, part: float) -> float:
        return share(self.all_times, part)

    def about(self) -> dict[str, object]:
        kinds = {kind: sorted(values) for kind, values in sorted(self.times.items())}
        return {
            "rate": round(self.rate, 1),
            "seconds": round(self.seconds, 1),
            "requests": self.planned,
            "p50_ms": round(self.share(0.5), 1),
            "p99_ms": round(self.share(0.99), 1),
            "longest_ms": round(self.share(1), 1),
            "by_kind": {
                kind: {
                    "n": len(values),
                    "p50_ms": round(share(values, 0.5), 1),
                    "p99_ms": round(share(values, 0.99), 1),
                }
                for kind, values in kinds.items()
            },
            "failures": dict(self.failures),
            "overloaded": self.overloaded,
            "given_up": self.given_up,
            "generator_late_p99_ms": round(share(sorted(self.late), 0.99), 2),
            "generator_processor": round(self.processor, 3),
        }


def share(ordered: list[float], part: float) -> float:
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)] if ordered else 0.0


class Load:
    """The generator: one thread, some connections to each service, and what it was told of each key."""

    def __init__(self, ports: dict[str, int], token: str, seed: int) -> None:
        self.clients = {name: Client(port) for name, port in ports.items()}
        # By key: the service, and how many facts were acknowledged.
        self.acknowledged: dict[str, tuple[str, int]] = {}
        # Keys whose outcome was not told, or told as none.
        self.untold: dict[str, str] = {}
        self._random = Random(seed)
        self._mix = Mix(Random(seed))
        self._token = token
        self._number = 0
        self._under_way: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        for client in self.clients.values():
            await client.open()
        begun = Measured(0)
        for ask in self._mix.first():
            await self._carry_out(ask, time.perf_counter(), begun)
        if begun.failures:
            raise RuntimeError(f"could not begin: {begun.failures}")

    def close(self) -> None:
        for client in self.clients.values():
            client.close()

    def troubles(self) -> Troubles:
        """Since this was last asked."""
        found = Troubles()
        for client in self.clients.values():
            for name in Troubles.__slots__:
                setattr(found, name, getattr(found, name) + getattr(client.troubles, name))
            client.troubles = Troubles()
        return found

    async def run(
        self,
        rate: float,
        seconds: float,
        *,
        until: asyncio.Event | None = None,
        measured: Measured | None = None,
    ) -> Measured:
        """Ends with the last answer. With `until`, when that is set, and no step is hopeless."""
        result = measured or Measured(rate)
        began, used = time.perf_counter(), time.process_time()
        due = began + self._random.expovariate(rate)
        while due - began < seconds and not (until and until.is_set()):
            now = time.perf_counter()
            if due > now:
                await asyncio.sleep(due - now)
                continue
            self._launch(self._mix.next(), due, result)
            result.late.append((now - due) * 1000)
            due += self._random.expovariate(rate)
            if until is None and len(self._under_way) > 50 + rate * HOPELESS:
                result.given_up = True
                break
        result.seconds = time.perf_counter() - began
        result.processor = (time.process_time() - used) / result.seconds
        while self._under_way:
            await asyncio.wait(self._under_way)
        return result

    def _launch(self, ask: Ask, planned: float, result: Measured) -> None:
        result.planned += 1
        task = asyncio.create_task(self._carry_out(ask, planned, result))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _carry_out(self, ask: Ask, planned: float, result: Measured) -> None:
        if ask.body is not None:
            self._number += 1
            ask.key = f"load-{self._number:09}"
            self.untold[ask.key] = ask.service
        try:
            answer = await self.clients[ask.service].ask(ask.request(self._token), PATIENCE)
        except Exception as error:
            _fail(result, f"{ask.kind}: {error!r}")
            return
        took = (time.perf_counter() - planned) * 1000
        result.times.setdefault(ask.kind, array("d")).append(took)
        result.recent.append(took)
        if answer.status == ask.status:
            if ask.key:
                del self.untold[ask.key]
                self.acknowledged[ask.key] = ask.service, ask.facts
            ask.then()
        elif answer.status in (429, 503) and b"\r\nretry-after:" in answer.head.lower():
            result.overloaded += 1
        else:
            code = _CODE.search(answer.body)
            _fail(result, f"{ask.kind}: {answer.status} {code[1].decode() if code else answer.body[:100]!r}")


def _fail(result: Measured, what: str) -> None:
    if what in result.failures or len(result.failures) < _FAILURES_KEPT:
        result.failures[what] += 1
    else:
        result.failures["others"] += 1
