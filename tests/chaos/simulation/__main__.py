"""`make simulate`: histories from seeds, and the planted bugs that the harness must catch."""

import argparse
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from tests.chaos.simulation import ids
from tests.chaos.simulation.controls import CONTROLS, Control
from tests.chaos.simulation.plan import plan
from tests.chaos.simulation.report import Report, describe
from tests.chaos.simulation.run import run
from tests.chaos.simulation.shrink import shrink

MOST_FOR_A_CONTROL = 5000


def main() -> int:
    asked = _parser().parse_args()
    seeds = [asked.seed] if asked.seed is not None else list(range(asked.first, asked.first + asked.seeds))
    report = Report()
    with ids.quiet():
        _histories(report, seeds, tell_all=asked.seed is not None)
        if asked.seed is None and not asked.no_controls:
            for control in CONTROLS:
                said = hunt(control, range(asked.first, asked.first + MOST_FOR_A_CONTROL))
                report.controls[control.name] = said
                _say(f"planted: {control.name}: {_caught(said)}")
    _say(report.line())
    if asked.json:
        report.write(asked.json, seeds)
    return 1 if report.failing or report.missed else 0


def _histories(report: Report, seeds: Iterable[int], *, tell_all: bool) -> None:
    for seed in seeds:
        began = time.process_time()
        result = run(plan(seed))
        report.seconds += time.process_time() - began
        report.add(result)
        if tell_all:
            _say(describe(result.plan, result.violations or {"nothing is wrong": "every promise was kept"}))
        if result.violations:
            kind = next(iter(result.violations))
            smaller = shrink(result.plan, lambda one: kind in run(one).violations)  # noqa: B023
            _say("made smaller:" if tell_all else "")
            _say(describe(smaller, result.violations))
            _say(f"  again: make simulate SEED={seed}")


def hunt(control: Control, seeds: Iterable[int]) -> dict[str, object]:
    """After how many histories the planted bug shows, and by which broken promise."""
    for count, seed in enumerate(seeds, 1):
        shown = [
            kind for kind in run(control.plan(seed), control.planted).violations if kind in control.shows
        ]
        if shown:
            return {"histories": count, "seed": seed, "by": shown[0]}
    return {"histories": None, "seed": None, "by": None}


def _caught(said: dict[str, object]) -> str:
    if said["histories"] is None:
        return f"NOT CAUGHT within {MOST_FOR_A_CONTROL} histories"
    return f"caught in history {said['histories']}: {said['by']}"


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many histories")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="this one history, as it was")
    parser.add_argument("--no-controls", action="store_true", help="plant nothing")
    parser.add_argument(
        "--whole", action="store_true", help="show a failing history as it is, not made smaller"
    )
    parser.add_argument("--json", type=Path, help="where to write the report")
    return parser


if __name__ == "__main__":
    sys.exit(main())
