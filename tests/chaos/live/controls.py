"""Planted bugs in real processes: what each takes to show, and by which broken promise. All must be caught."""

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from crm.local import KAFKA_LIBS

from tests.chaos.live.checks_figures import FRESH, HEARD
from tests.chaos.live.checks_log import FORWARD, NOBODYS, STORED
from tests.chaos.live.checks_topic import SENT
from tests.chaos.live.clients import FOLLOWS
from tests.chaos.live.ending import end
from tests.chaos.live.faults import Kind
from tests.chaos.live.fleet import Fleet
from tests.chaos.live.kinds import everything
from tests.chaos.live.report import Report, tell
from tests.chaos.live.run import Run

# How long a planted bug may stay unseen.
SECONDS = 180.0
FIRST = asyncio.FIRST_COMPLETED
# As many commands as the machine bears: what is rare then comes sooner.
RATE = 0.0
# A run that is told to end ends what runs beside it first.
CLEARING_UP = 30.0


@dataclass(frozen=True, slots=True)
class Control:
    """`favours`: words of the faults that it is sensitive to; no others come. `shows`: what must be found broken."""

    name: str
    favours: tuple[str, ...]
    shows: tuple[str, ...]
    settings: Mapping[str, str] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)

    def kinds(self) -> list[Kind]:
        return [
            replace(kind, weight=self.weights.get(kind.name, kind.weight))
            for kind in everything()
            if any(word in kind.name for word in self.favours)
        ]


CONTROLS: Sequence[Control] = (
    Control(
        "append without the lock",
        ("postgres wire: delay", "stop api", "slow fsync"),
        (SENT, HEARD, FRESH),
        weights={"slow fsync": 0.5},
    ),
    Control(
        "synchronous_commit=off",
        ("kill postgres",),
        (STORED, FOLLOWS),
        # The writer that would save us comes as seldom as it may.
        {"synchronous_commit": "off", "wal_writer_delay": "10s"},
    ),
    Control("answer before commit", ("kill postgres", "kill api"), (STORED, FOLLOWS)),
    Control(
        "idempotency row in a later transaction", ("kill postgres", "kill api"), (STORED, FOLLOWS, NOBODYS)
    ),
    Control("no fencing", ("two workers, one stopped", "stop worker"), (FORWARD,)),
    Control("checkpoint saved before the rows", ("kill postgres", "kill worker"), (HEARD, FRESH)),
    Control(
        "the relay's row saved before the acks", ("kill broker", "kill worker", "stop broker"), (SENT, HEARD)
    ),
)


def hunt(control: Control, seed: int) -> dict[str, Any]:
    """After how many seconds it was caught, and by which promises; None if it was not."""
    with (
        tempfile.TemporaryDirectory(prefix="guanxi-chaos-", ignore_cleanup_errors=True) as folder,
        Fleet(Path(folder), KAFKA_LIBS, planted=control.name, settings=control.settings) as fleet,
    ):
        return asyncio.run(_hunt(fleet, control, seed))


async def _hunt(fleet: Fleet, control: Control, seed: int) -> dict[str, Any]:
    run = Run(fleet, Report(seed), control.kinds(), RATE)
    findings = run.world.findings
    try:
        going = asyncio.create_task(run.go(SECONDS))
        looking = asyncio.create_task(run.until_broken(control.shows))
        await asyncio.wait([going, looking], return_when=FIRST)
        if not run.broken(control.shows):
            await going
            await run.finish()
        await end(going, looking, again_after=CLEARING_UP)
    finally:
        await run.world.end()
    shown = {promise: findings.counts[promise] for promise in control.shows if findings.counts[promise]}
    said = {
        "seconds": round(run.report.elapsed, 1) if shown else None,
        "faults": run.report.injected.total(),
        "acknowledged": len(run.world.ledger.acknowledged),
        "by": shown,
        "for_example": [findings.described[promise][0] for promise in shown],
        "also": {name: how for name, how in findings.described.items() if name not in shown},
    }
    how = f"caught after {said['seconds']} s: {', '.join(shown)}" if shown else "NOT CAUGHT"
    tell(f"planted: {control.name}: {how}")
    return said
