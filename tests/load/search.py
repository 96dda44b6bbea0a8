"""The highest rate at which 99 of 100 requests are answered in time: up by a factor, then halving what is between."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.load.pace import Load, Measured

PROMISED_MS = 120.0
FIRST_RATE = 40.0
FACTOR = 1.6
# Nearer than this the machine's own moods decide.
NEAR = 1.06
# So many requests are above the 99th percentile of a step, unless it would take too long.
BEYOND = 10
SHORTEST, LONGEST = 10.0, 60.0
# A step that fails by more than this factor is no accident.
NARROW = 2.0
WARM = 2.0
_LOWEST_RATE = 2.0

Tell = Callable[[str], None]


@dataclass(slots=True)
class Search:
    load: Load
    tell: Tell
    # Returns when analytics has heard what the last step has left behind.
    settled: Callable[[], Awaitable[None]]
    steps: list[Measured] = field(default_factory=list)

    async def highest(self) -> float:
        """0 when even the lowest rate is too high."""
        rate, good, bad = FIRST_RATE, 0.0, 0.0
        while rate >= _LOWEST_RATE:
            if await self._holds(rate):
                good = rate
            else:
                bad = rate
            if good and bad and bad / good < NEAR:
                break
            rate = good * FACTOR if not bad else (good + bad) / 2
        return good

    async def _holds(self, rate: float) -> bool:
        """A step that fails narrowly is made once more: something else may have had the machine for a moment."""
        if await self._step(rate):
            return True
        narrow = self.steps[-1].share(0.99) < PROMISED_MS * NARROW and not self.steps[-1].given_up
        return narrow and await self._step(rate)

    async def _step(self, rate: float) -> bool:
        await self.load.run(rate, WARM)
        step = await self.load.run(rate, min(max(SHORTEST, BEYOND * 100 / rate), LONGEST))
        self.steps.append(step)
        good = holds(step)
        self.tell(f"{line(step)}  {'held' if good else 'not held'}")
        if not good:
            await self.settled()
        return good


def holds(step: Measured) -> bool:
    refused = step.failures or step.overloaded or step.given_up
    return not refused and step.share(0.99) < PROMISED_MS


def line(step: Measured) -> str:
    said = (
        f"{step.rate:7.1f}/s for {step.seconds:4.0f} s: {step.planned:6} requests, p50 {step.share(0.5):6.1f} ms, "
        f"p99 {step.share(0.99):7.1f} ms, generator {step.processor:4.0%} of a core"
    )
    if step.given_up:
        said += ", given up"
    if step.overloaded:
        said += f", {step.overloaded} refused as too much"
    if step.failures:
        said += f", {step.failures.total()} failed ({next(iter(step.failures))})"
    return said
