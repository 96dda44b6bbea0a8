"""A slice of `make chaos` on real processes: every promise is kept, and every check can fail."""

import asyncio
from pathlib import Path

import pytest
from kernel.testing.servers import temporary_folder

from tests.chaos.live.faults import Kind
from tests.chaos.live.fleet import Fleet
from tests.chaos.live.kinds import scripted
from tests.chaos.live.report import Report
from tests.chaos.live.run import Run
from tests.chaos.live.tampering import TAMPERINGS, Tampering

# Clients whose servers die under them warn of what they leave behind; that is no fault of what is tested.
pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300), pytest.mark.filterwarnings("default")]

SEED, RATE = 2026, 60.0
# One after the other: a server, a process that stands still, a wire, a topic, a disk, a database.
FAULTS = (
    "kill postgres",
    "stop who holds the log's lock",
    "postgres wire: half",
    "kafka loses its tail",
    "failing fsync",
    "restore a backup",
)


def test_no_promise_is_broken_by_what_happens_to_real_processes(kafka_libs: Path) -> None:
    with temporary_folder() as folder, Fleet(Path(folder), kafka_libs) as fleet:
        script = [kind for kind in scripted(FAULTS) if fleet.preload.library or not kind.needs_preload]
        report = Report(SEED)
        run = asyncio.run(through(fleet, report, script))
        assert list(run.world.findings.lines()) == []
        assert [each.promise for each in TAMPERINGS if each.promise not in found_after(each, run)] == []
    assert report.injected.total() == len(script)
    assert run.world.ledger.refusals > 0
    assert len(run.world.ledger.acknowledged) > RATE
    assert run.world.ledger.taken_back
    assert run.erasures.persons > 0


def found_after(tampering: Tampering, run: Run) -> set[str]:
    """What the checks find broken when the world was altered behind the product's back."""
    run.world.findings.clear()
    tampering.act(run)
    tampering.look(run)
    return set(run.world.findings.counts)


async def through(fleet: Fleet, report: Report, script: list[Kind]) -> Run:
    run = Run(fleet, report, script, RATE)
    try:
        await run.go_through(script)
        await run.finish()
    finally:
        await run.world.end()
    return run
