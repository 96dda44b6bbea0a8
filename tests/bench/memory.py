"""What each service's process keeps in memory while nobody asks anything."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

from crm import services

from tests.bench.figures import Figure
from tests.bench.setting import Setting, system

NAME = "memory"


def run(given: Setting) -> Iterator[Figure]:
    with system(given) as (_, processes):
        time.sleep(2)
        for name in services.NAMES:
            yield Figure(NAME, f"{name}: {_kind()}", _megabytes(processes[name].pid), "MB", at_most=200)


def _kind() -> str:
    """Proportional where the kernel tells it: shared pages count once."""
    return "PSS" if Path("/proc/self/smaps_rollup").exists() else "RSS"


def _megabytes(pid: int) -> float:
    file, name = ("smaps_rollup", "Pss") if _kind() == "PSS" else ("status", "VmRSS")
    found = re.search(rf"^{name}:\s+(\d+) kB", Path(f"/proc/{pid}/{file}").read_text(), re.MULTILINE)
    assert found, f"/proc/{pid}/{file} has no {name}"
    return int(found[1]) * 1024 / 1e6
