"""What a run found: lines for people while it goes on, a line at the end, a JSON document for machines."""

import json
import platform
import re
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.live.fleet import Fleet
from tests.chaos.live.ledger import Findings, Ledger
from tests.chaos.live.wires import ROOT

# The promise, in seconds, for 99 of 100; below so many faults there is no such figure.
RECOVERY, ENOUGH = 5.0, 100


@dataclass(slots=True)
class Report:
    seed: int
    began: float = field(default_factory=time.monotonic)
    injected: Counter[str] = field(default_factory=Counter)
    # Seconds by kind; of faults that were alone.
    recoveries: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    overlapping: list[float] = field(default_factory=list)
    told: set[str] = field(default_factory=set)
    # What is being done at this moment.
    now: str = ""
    left_out: list[str] = field(default_factory=list)
    # Processes that ended by themselves, because what they need at their start was away.
    revived: Counter[str] = field(default_factory=Counter)
    said: dict[str, Any] = field(default_factory=dict)

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.began

    @property
    def all_recoveries(self) -> list[float]:
        return [seconds for many in self.recoveries.values() for seconds in many]

    def progress(self, ledger: Ledger, findings: Findings) -> None:
        """With the first violation of each promise, once."""
        for promise in [each for each in findings.described if each not in self.told]:
            self.told.add(promise)
            tell(f"broken: {promise}: {findings.described[promise][0]}")
        minutes, seconds = divmod(int(self.elapsed), 60)
        tell(
            f"{minutes:3}:{seconds:02}  {self.injected.total()} faults, {len(ledger.acknowledged):,} commands "
            f"acknowledged, {len(findings)} violations; {self.now}"
        )

    def line(self, ledger: Ledger, findings: Findings) -> str:
        spread = of(self.all_recoveries)
        return (
            f"{self.elapsed / 60:.1f} minutes, seed {self.seed}: {self.injected.total()} faults of "
            f"{len(self.injected)} kinds, {len(ledger.acknowledged):,} commands acknowledged, {ledger.refusals:,} "
            f"refused, {len(ledger.taken_back):,} taken back by restores; recovery p50 {spread['p50']} s, "
            f"p99 {spread['p99']} s, at most {spread['max']} s; violations: {len(findings)}"
        )

    def document(self, fleet: Fleet, ledger: Ledger, findings: Findings) -> Mapping[str, Any]:
        return {
            "seed": self.seed,
            "commit": asked("git", "-C", str(ROOT), "rev-parse", "HEAD"),
            "versions": {
                "postgres": fleet.postgres.execute("SHOW server_version"),
                "kafka": kafka_version(fleet),
                "python": platform.python_version(),
            },
            "seconds": round(self.elapsed, 1),
            "faults": self.injected.total(),
            "faults_by_kind": dict(sorted(self.injected.items())),
            "left_out": self.left_out,
            "started_again": dict(sorted(self.revived.items())),
            "commands_acknowledged": len(ledger.acknowledged),
            "commands_refused": ledger.refusals,
            "commands_taken_back": len(ledger.taken_back),
            "commands_uncertain": len(ledger.uncertain),
            "recovery_seconds": of(self.all_recoveries),
            "recovery_seconds_overlapping": of(self.overlapping),
            "recovery_seconds_by_kind": {kind: of(many) for kind, many in sorted(self.recoveries.items())},
            "violations": dict(findings.counts),
            "described": dict(findings.described),
            **self.said,
        }


def of(seconds: Sequence[float]) -> dict[str, float | None]:
    """The middle, the 99th of a hundred (the greatest of fewer), the greatest."""
    if not seconds:
        return {"n": 0, "p50": None, "p99": None, "max": None}
    ordered = sorted(seconds)
    place = min(len(ordered) - 1, int(len(ordered) * 0.99))
    return {
        "n": len(ordered),
        "p50": round(ordered[len(ordered) // 2], 2),
        "p99": round(ordered[place], 2),
        "max": round(ordered[-1], 2),
    }


def write(path: Path, document: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=2) + "\n")


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def kafka_version(fleet: Fleet) -> str:
    """As the broker says when it starts."""
    found = re.search(r"Kafka version: (\S+)", fleet.kafka.log.read_text(errors="replace"))
    jars = [path.name for path in fleet.libs.glob("kafka-server-4*.jar")] or [
        path.name for path in fleet.libs.glob("kafka_*.jar")
    ]
    return found[1] if found else (jars[0] if jars else "?")


def asked(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()
