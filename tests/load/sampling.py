"""What processes hold while they work, sampled all along, and the rules by which it stays flat."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median
from typing import Any

import psycopg

from tests.system.running import NAMES, System

WRITING = NAMES[:3]
# Of memory: of the line of least squares over the second half, per ten minutes.
GROWTH = 0.01
SPAN = 600.0
# A line over less than this says nothing of ten minutes.
SHORTEST_LINE = 300.0
FEWEST = 15
# A lag that stays under this, in seconds and in records of so many seconds, has no trend worth a word.
PASSING_LAG = 2.0
MEMORY, FILES, CONNECTIONS = "memory", "open files", "PostgreSQL connections"
UNSENT, UNHEARD, LAG = (
    "events not yet in Kafka",
    "records in Kafka not yet in analytics",
    "analytics' lag, ms",
)
_UNSENT_FEED = "events not yet in analytics"

_CONNECTIONS = (
    "SELECT datname, count(*) FROM pg_stat_activity WHERE datname = ANY(%s) AND pid <> ALL(%s) GROUP BY 1"
)
_TOLD = "SELECT coalesce(max(position), 0), coalesce((SELECT max(position) FROM relay), 0) FROM events"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`kept` is None where the run was too short to tell."""

    what: str
    kept: bool | None
    found: str


@dataclass
class Sampler:
    """Series by what they are of: (kind, process or source) to moments and values."""

    system: System
    series: dict[tuple[str, str], list[tuple[float, float]]] = field(default_factory=dict)

    def __enter__(self) -> "Sampler":
        names = [*WRITING, "postgres"]
        self._connections = {
            name: psycopg.connect(
                self.system.dsn(name) if name in WRITING else self.system.postgres.dsn("postgres"),
                autocommit=True,
            )
            for name in names
        }
        self._own = [connection.info.backend_pid for connection in self._connections.values()]
        self.began = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._connections.values():
            connection.close()

    def sample(self) -> None:
        """Blocks; for a thread of its own."""
        now = time.monotonic() - self.began
        for kind, name, value in self._values():
            self.series.setdefault((kind, name), []).append((now, value))

    def _values(self) -> Iterator[tuple[str, str, float]]:
        for name, process in self.system.processes.items():
            yield MEMORY, name, memory_of(process.pid)
            yield FILES, name, len(list(Path(f"/proc/{process.pid}/fd").iterdir()))
        databases = {database: name for name, database in self.system.databases.items()}
        found = self._connections["postgres"].execute(_CONNECTIONS, [list(databases), self._own]).fetchall()
        for database, number in found:
            yield CONNECTIONS, databases[database], number
        known = {each["source"]: each for each in self.system.get("analytics", "/v1/freshness")["sources"]}
        for name in WRITING:
            source = known[name]
            yield LAG, name, source["lag_ms"] or 0
            told = self._connections[name].execute(_TOLD).fetchone()
            assert told
            heard = source["position"] or 0
            if self.system.kafka:
                yield UNSENT, name, max(told[0] - told[1], 0)
                yield UNHEARD, name, max(told[1] - heard, 0)
            else:
                yield _UNSENT_FEED, name, max(told[0] - heard, 0)

    def behind(self) -> float:
        """Milliseconds by which analytics is behind the source that it knows least of."""
        sources = self.system.get("analytics", "/v1/freshness")["sources"]
        return max((each["lag_ms"] if each["lag_ms"] is not None else 1e9) for each in sources)

    def verdicts(self, rate: float) -> list[Verdict]:
        spared = {LAG: PASSING_LAG * 1000} | dict.fromkeys(
            (UNSENT, UNHEARD, _UNSENT_FEED), PASSING_LAG * rate
        )
        return [
            verdict(kind, name, values, spared.get(kind, 0)) for (kind, name), values in self.series.items()
        ]

    def figures(self) -> Mapping[str, Any]:
        return {
            f"{kind}: {name}": [[round(at, 1), value] for at, value in values]
            for (kind, name), values in self.series.items()
        }


def verdict(kind: str, name: str, values: Sequence[tuple[float, float]], spared: float) -> Verdict:
    """Memory by its line; all else: the median of the last third is not above the highest of the middle third.

    Or not above `spared`.
    """
    what = f"{kind}: {name}"
    if len(values) < FEWEST:
        return Verdict(what, None, f"{len(values)} samples are too few")
    if kind == MEMORY:
        late = values[len(values) // 2 :]
        growth = slope(late) * SPAN / fmean(value for _, value in late)
        span = late[-1][0] - late[0][0]
        found = f"{late[-1][1] / 2**20:.1f} MiB, {growth:+.2%} in 10 minutes, by a line over {span:.0f} s"
        return Verdict(what, growth < GROWTH if span >= SHORTEST_LINE else None, found)
    span = values[-1][0] - values[0][0]
    if kind in (FILES, CONNECTIONS) and span < SPAN:
        # Pools fill with what happens at once, and it takes a while until everything has.
        return Verdict(what, None, f"{values[-1][1]:g} at the end, {span:.0f} s are too short to tell")
    third = len(values) // 3
    middle = max(value for _, value in values[third : 2 * third])
    last = median(value for _, value in values[2 * third :])
    return Verdict(what, last <= max(middle, spared), f"{last:g} at the end, at most {middle:g} before")


def slope(values: Sequence[tuple[float, float]]) -> float:
    """Of the line of least squares."""
    at, mean = fmean(at for at, _ in values), fmean(value for _, value in values)
    spread = sum((moment - at) ** 2 for moment, _ in values)
    return sum((moment - at) * (value - mean) for moment, value in values) / spread if spread else 0.0


def memory_of(pid: int) -> int:
    """The proportional share of what is in no file: libraries are shared with whoever else runs them just now."""
    said = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    found = dict(line.split(":", 1) for line in said if line.startswith("Pss"))
    return int(found.get("Pss_Anon", found["Pss"]).split()[0]) * 1024
