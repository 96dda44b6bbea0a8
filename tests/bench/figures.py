"""What a run has measured: one line per figure, with its target where it has one, as a table and as JSON."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Figure:
    """`at_least` or `at_most` is the target; with neither it is there to explain the others."""

    bench: str
    name: str
    value: float
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None

    @property
    def met(self) -> bool | None:
        if self.at_least is not None:
            return self.value >= self.at_least
        return None if self.at_most is None else self.value <= self.at_most

    @property
    def target(self) -> str:
        if self.at_least is not None:
            return f"≥ {self.at_least:g}"
        return "" if self.at_most is None else f"≤ {self.at_most:g}"


def show(figures: Sequence[Figure], console: Console) -> None:
    table = Table("bench", "figure", "value", "unit", "target", "", box=None, padding=(0, 2, 0, 0))
    words = {True: "[green]met[/green]", False: "[red]not met[/red]", None: ""}
    for figure in figures:
        shown = f"{figure.value:,.2f}" if figure.value < 100 else f"{figure.value:,.0f}"
        table.add_row(figure.bench, figure.name, shown, figure.unit, figure.target, words[figure.met])
    console.print(table)


def write(figures: Sequence[Figure], about: dict[str, str], file: Path) -> None:
    said = {
        "about": about,
        "figures": [{**asdict(figure), "met": figure.met} for figure in figures],
    }
    file.write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n")


def machine() -> dict[str, str]:
    return {
        "cores": str(len(os.sched_getaffinity(0))),
        "load before": f"{os.getloadavg()[0]:.1f}",
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
    }
