"""`make chaos`: the whole product as real processes over real servers, under faults from a seed."""

import argparse
import asyncio
import logging
import secrets
import sys
import tempfile
from pathlib import Path

from crm.local import KAFKA_LIBS
from kernel.runtime.broker import fetch_jars

from tests.chaos.live.controls import CONTROLS, hunt
from tests.chaos.live.fleet import Fleet
from tests.chaos.live.kinds import everything, scripted
from tests.chaos.live.report import Report, tell, write
from tests.chaos.live.run import Run

# Commands a second of all clients together: 300,000 an hour are 84, and faults hold clients up.
RATE = 110.0


def main() -> int:
    asked = _parser().parse_args()
    # The tape says itself when it cannot be written.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    seed = asked.seed if asked.seed is not None else secrets.randbelow(1_000_000)
    fetch_jars(KAFKA_LIBS)
    with tempfile.TemporaryDirectory(prefix="guanxi-chaos-", ignore_cleanup_errors=True) as folder:
        tell(f"make chaos SEED={seed}")
        if asked.controls:
            return controls(seed, asked)
        with Fleet(Path(folder), KAFKA_LIBS) as fleet:
            return asyncio.run(chaos(fleet, seed, asked))


def controls(seed: int, asked: argparse.Namespace) -> int:
    """The planted bugs, one after the other."""
    chosen = [control for control in CONTROLS if asked.only in control.name]
    caught = {control.name: hunt(control, seed) for control in chosen}
    missed = [name for name, said in caught.items() if not said["by"]]
    if asked.json:
        write(asked.json, {"seed": seed, "controls": caught})
    tell(f"{len(caught) - len(missed)} of {len(caught)} planted bugs caught")
    return 1 if missed else 0


async def chaos(fleet: Fleet, seed: int, asked: argparse.Namespace) -> int:
    report = Report(seed)
    kinds = [kind for kind in everything() if asked.only in kind.name]
    if fleet.preload.library is None:
        report.left_out = [kind.name for kind in kinds if kind.needs_preload]
        kinds = [kind for kind in kinds if not kind.needs_preload]
    run = Run(fleet, report, kinds, asked.rate)
    report.said["ended"] = await whole(run, asked)
    ledger, findings = run.world.ledger, run.world.findings
    if asked.json:
        write(asked.json, report.document(fleet, ledger, findings))
    if asked.keep:
        keep_logs(fleet, asked.keep)
    tell(report.line(ledger, findings))
    for line in findings.lines():
        tell(line)
    return 1 if len(findings) else 0


async def whole(run: Run, asked: argparse.Namespace) -> str:
    """Ctrl-C ends the faults; what was done until then is checked all the same."""
    ended = "in time"
    try:
        if asked.script:
            await run.go_through(scripted(asked.script.split(",")))
        else:
            await run.go(asked.minutes * 60)
    except asyncio.CancelledError:
        ended = "interrupted"
    try:
        await run.finish()
    finally:
        await run.world.end()
    return ended


def keep_logs(fleet: Fleet, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for log in (*fleet.system.local.logs.iterdir(), fleet.postgres.log, fleet.kafka.log):
        (folder / log.name).write_bytes(log.read_bytes())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60, help="how long faults are injected")
    parser.add_argument("--seed", type=int, help="which faults, and which commands; by default any")
    parser.add_argument("--only", default="", help="only faults with these words in their names")
    parser.add_argument(
        "--controls", action="store_true", help="plant bugs instead, all of which must be caught"
    )
    parser.add_argument("--script", default="", help="these faults, in this order, with commas between them")
    parser.add_argument("--rate", type=float, default=RATE, help="commands a second; 0 knows no limit")
    parser.add_argument("--json", type=Path, help="where to write the report")
    parser.add_argument("--keep", type=Path, help="where to leave the logs of all processes")
    return parser


if __name__ == "__main__":
    sys.exit(main())
