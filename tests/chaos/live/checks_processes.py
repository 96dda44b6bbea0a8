"""What the processes hold: open files, threads, connections as at the beginning; memory that does not grow."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.live.fleet import PLACES, Fleet
from tests.chaos.live.ledger import Findings
from tests.system.running import NAMES

HELD = "open files, threads and connections are those of the beginning"
MEMORY = "memory grows by less than 1 % in 10 minutes"
# The pools of a process fill by what happens at once: four connections and four more, and six of the readers.
POOLS = 14
# Connections to Kafka, to the feeds of others, sockets of clients that are about to close.
FILES = POOLS + 20
# asyncio's pool of threads for files and names fills up to a fixed number by itself, and stays.
THREADS = 8
SETTLING = 600.0
SPAN = 600.0
GROWTH = 0.01

_CONNECTIONS = "SELECT application_name, count(*) FROM pg_stat_activity WHERE datname = %s GROUP BY 1"


@dataclass(slots=True)
class Holdings:
    files: int
    threads: int
    memory: int


def holdings(pid: int) -> Holdings:
    status = Path(f"/proc/{pid}/status").read_text()
    said = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return Holdings(files, int(said["Threads"]), int(said["VmRSS"].split()[0]) * 1024)


@dataclass(slots=True)
class ProcessChecks:
    fleet: Fleet
    findings: Findings
    begun: dict[str, Holdings] = field(default_factory=dict)
    connections: dict[str, int] = field(default_factory=dict)
    # By process (a restore ends all of its service's): the moments and the bytes.
    memory: dict[str, list[tuple[float, int]]] = field(default_factory=dict)

    def begin(self) -> None:
        """Some time after the start, under load."""
        self.begun, self.connections = self._now(), self._connections()

    def note_memory(self) -> None:
        for place in PLACES:
            if place.spared:
                pid = self.fleet.processes[place.name].pid
                measured = self.memory.setdefault(f"{place.name} ({pid})", [])
                measured.append((time.monotonic(), holdings(pid).memory))

    def end(self) -> None:
        for name, now in self._now().items():
            then = self.begun.get(name)
            if then and now.files > then.files + FILES:
                self.findings.add(HELD, f"{name} has {now.files} files open, {then.files} at the beginning")
            if then and now.threads > then.threads + THREADS:
                self.findings.add(HELD, f"{name} has {now.threads} threads, {then.threads} at the beginning")
        for name, number in self._connections().items():
            processes = len(self.fleet.of_service(name))
            if number > self.connections[name] + POOLS * processes:
                self.findings.add(HELD, f"{name} has {number} connections, {self.connections[name]} at first")
        for name, growth in self.growth().items():
            if growth > GROWTH:
                self.findings.add(MEMORY, f"{name} grew by {growth:.2%} in 10 minutes")

    def megabytes(self) -> dict[str, list[float]]:
        """What spared processes held every other minute: a line says little of what grew in one step."""
        return {
            name: [round(size / 1e6, 1) for _, size in measured[::4]]
            for name, measured in self.memory.items()
        }

    def growth(self) -> dict[str, float]:
        """By spared process: the share by which it grew in ten minutes, by the line of the least squares."""
        found = {}
        for name, measured in self.memory.items():
            begin = measured[0][0]
            late = [(at - begin, size) for at, size in measured if at - begin > SETTLING]
            if len(late) > 2 and late[-1][0] - late[0][0] > SPAN / 2:
                mean = sum(at for at, _ in late) / len(late), sum(size for _, size in late) / len(late)
                slope = sum((at - mean[0]) * (size - mean[1]) for at, size in late) / sum(
                    (at - mean[0]) ** 2 for at, _ in late
                )
                found[name] = slope * SPAN / mean[1]
        return found

    def _now(self) -> dict[str, Holdings]:
        return {name: holdings(process.pid) for name, process in self.fleet.processes.items()}

    def _connections(self) -> dict[str, int]:
        return {
            name: sum(
                number
                for application, number in self.fleet.rows(
                    name, _CONNECTIONS, self.fleet.system.databases[name]
                )
                if application == f"crm-{name}"
            )
            for name in NAMES
        }
