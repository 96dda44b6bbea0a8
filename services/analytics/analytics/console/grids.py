"""A table of figures, once: as the page shows it and as the file that its CSV link gives."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from kernel.web.fields import MoneyField

NOTHING = "–"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Cell:
    """`text` is for people, `raw` for the file; `look` and `title` are a class and a remark."""

    text: str
    raw: str | int | float | None
    look: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    label: str
    numeric: bool = True


@dataclass(frozen=True, slots=True)
class Grid:
    """The first cell of each row names it. `foot` sums up, and stands below the rows."""

    name: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    foot: Sequence[Cell] = ()
    note: str = ""
    look: str = ""


def label(text: str, shown: str | None = None, title: str = "") -> Cell:
    return Cell(text if shown is None else shown, text, title=title)


def count(n: int | None, look: str = "") -> Cell:
    return Cell(NOTHING if n is None else f"{n:,}", n, look)


def share(rate: float | None, look: str = "") -> Cell:
    return Cell(percent(rate), None if rate is None else round(rate, 6), look)


def percent(rate: float | None) -> str:
    return NOTHING if rate is None else f"{rate * 100:.1f}%"


def amounts(money: Iterable[MoneyField]) -> Cell:
    """Each currency apart, one under the other."""
    parts = list(money)
    return Cell(
        "\n".join(readable(part) for part in parts) or NOTHING,
        "; ".join(f"{part.currency} {part.amount}" for part in parts),
    )


def readable(money: MoneyField) -> str:
    return f"{money.currency} {plain(money)}"


def plain(money: MoneyField, *, whole: bool = False) -> str:
    """The amount without its currency; for a headline without the digits after the point."""
    before, point, after = money.amount.partition(".")
    return f"{int(before):,}" if whole else f"{int(before):,}{point}{after}"


def moment(at: datetime | None) -> Cell:
    if at is None:
        return Cell(NOTHING, None)
    return Cell(f"{at:%Y-%m-%d %H:%M:%S} UTC", at.isoformat().replace("+00:00", "Z"))


def as_csv(grid: Grid) -> bytes:
    """With the mark by which spreadsheets know UTF-8, and no text that one would take for a formula."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow([column.label for column in grid.columns])
    for row in [*grid.rows, *([grid.foot] if grid.foot else [])]:
        writer.writerow([_safe(cell.raw) for cell in row])
    return file.getvalue().encode("utf-8-sig")


def _safe(raw: str | int | float | None) -> str | int | float:
    if raw is None:
        return ""
    return f"'{raw}" if isinstance(raw, str) and raw.startswith(_FORMULA) else raw
