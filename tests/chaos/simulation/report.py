"""What a run found: a line for people, a JSON document for machines."""

import json
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.simulation.plan import Plan
from tests.chaos.simulation.run import Result

ROOT = Path(__file__).resolve().parents[3]


@dataclass(slots=True)
class Report:
    """Of the histories in which nothing was planted, and of the controls."""

    histories: int = 0
    seconds: float = 0.0
    acknowledged: int = 0
    injected: Counter[str] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    failing: dict[int, dict[str, str]] = field(default_factory=dict)
    # By name: after how many histories each was caught, by what; None when it was not.
    controls: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, result: Result) -> None:
        self.histories += 1
        self.acknowledged += result.acknowledged
        self.injected += result.injected
        if result.violations:
            self.violations.update(result.violations.keys())
            self.failing[result.plan.seed] = result.violations

    @property
    def missed(self) -> list[str]:
        return [name for name, said in self.controls.items() if said["histories"] is None]

    def line(self) -> str:
        caught = f", {len(self.controls) - len(self.missed)} of {len(self.controls)} planted bugs caught"
        return (
            f"{self.histories} histories ({60 * self.histories / max(self.seconds, 1e-9):,.0f} a minute of one core), "
            f"{self.acknowledged:,} commands acknowledged, {self.injected.total():,} faults: "
            f"histories that broke a promise: {len(self.failing)}{caught if self.controls else ''}"
        )

    def write(self, path: Path, seeds: list[int]) -> None:
        said = {
            "commit": _commit(),
            "seeds": {"first": seeds[0], "last": seeds[-1]} if seeds else None,
            "histories": self.histories,
            "histories_per_minute": round(60 * self.histories / max(self.seconds, 1e-9)),
            "commands_acknowledged": self.acknowledged,
            "faults": dict(sorted(self.injected.items())),
            "violations": dict(self.violations),
            "failing_seeds": {str(seed): found for seed, found in self.failing.items()},
            "controls": self.controls,
        }
        path.write_text(json.dumps(said, indent=2) + "\n")


def describe(plan: Plan, violations: dict[str, str]) -> str:
    lines = [f"seed {plan.seed}: {what}: {how}" for what, how in violations.items()]
    lines.append(
        f"  {plan.partitions} partitions, PostgreSQL {plan.major}, read by {', '.join(plan.readers)}"
    )
    lines += [f"  fault {fault.number} at {fault.at:.3f} s: {fault.kind}" for fault in plan.faults]
    lines.append(f"  commands: {' '.join(str(wish.number) for wish in plan.wishes)}")
    return "\n".join(lines)


def _commit() -> str:
    asked = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return asked.stdout.strip()
