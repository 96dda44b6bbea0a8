"""Two processes that take turns under the same load: the product's, and a bare one that shows what nothing costs."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from os import environ
from statistics import median

from kernel.runtime.guarded import Guarded

from tests.bench.load import Load, Rate, run
from tests.bench.setting import Setting, address, await_ready, processor_seconds, running


@dataclass
class Side:
    """One of the two that take turns: its process, and how the rounds went."""

    load: Load
    process: Guarded
    rates: list[Rate] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)

    def turn(self, seconds: float) -> None:
        before = processor_seconds(self.process)
        self.rates.append(run(self.load, seconds))
        used = processor_seconds(self.process) - before
        self.costs.append(used * 1e6 / self.rates[-1].requests)

    @property
    def rate(self) -> float:
        return median(rate.per_second for rate in self.rates)

    @property
    def p99(self) -> float:
        return median(rate.p99 for rate in self.rates)

    @property
    def cost(self) -> float:
        """Processor time of a request, in microseconds."""
        return median(self.costs)


def take_turns(given: Setting, name: str, sides: Sequence[Side]) -> None:
    for side in sides:
        run(side.load, 1)
    for turn in range(given.rounds):
        given.tell(f"{name}: round {turn + 1} of {given.rounds}")
        for side in sides:
            side.turn(given.seconds)


@contextmanager
def echo(given: Setting, module: str, *arguments: str) -> Iterator[tuple[str, Guarded]]:
    """A bare app as a process; `module` is run with its port and the arguments."""
    url = address()
    command = [sys.executable, "-m", module, url.rpartition(":")[2], *arguments]
    with running(command, given.local.logs / "echo.log", dict(environ)) as process:
        await_ready(url, process)
        yield url, process
