"""What every page has, whatever it shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from analytics.answering import AsOf
from analytics.console.grids import Grid, percent
from analytics.console.visits import Visit


@dataclass(frozen=True, slots=True)
class Page:
    """`as_of` is of what all of the page speaks. `context` is what this page's template alone shows."""

    title: str
    as_of: AsOf
    zone: str
    grids: Sequence[Grid]
    context: Mapping[str, Any] = field(default_factory=dict)

    def grid(self, name: str) -> Grid:
        return next(grid for grid in self.grids if grid.name == name)


@dataclass(frozen=True, slots=True)
class Card:
    """One number and what is behind it; `look` is bad or nothing."""

    label: str
    value: str
    unit: str = ""
    details: Sequence[str] = ()
    look: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """A form's list of values; `chosen` is the one that the page shows."""

    name: str
    label: str
    options: Sequence[tuple[str, str]]
    chosen: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of `length` thousandths, with a mark at `mark` if there is a benchmark to hold it against.

    `details` are (what, how much, look).
    """

    name: str
    n: str
    length: int
    details: Sequence[tuple[str, str, str]] = ()
    mark: int | None = None


def thousandths(rate: float | None) -> int:
    return 0 if rate is None else min(1000, round(rate * 1000))


def named(value: str, visit: Visit) -> tuple[str, str]:
    """How a value of a breakdown is shown, and what is said on pointing at it: ids are long."""
    if not value:
        return visit.t("none"), ""
    return (f"{value[:8]}…", value) if len(value) == 36 and value.count("-") == 4 else (value, "")


def rate_of(part: int, whole: int) -> str:
    return percent(part / whole if whole else None)
