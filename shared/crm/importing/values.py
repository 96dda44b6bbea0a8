"""From a cell to a value of a command: the few converters that a map can name."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

Row = Mapping[str, str]
# Fills a value in, or says that the row has none.
Value = Callable[[Row], Any]

ABSENT = object()


class Unconvertible(Exception):
    """A cell that is not what the map says it is; `command` is the one that needs it."""

    def __init__(self, column: str, detail: str) -> None:
        super().__init__(detail)
        self.column = column
        self.detail = detail
        self.command = ""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What converters share: the map's zone and its tables."""

    zone: ZoneInfo
    lookups: Mapping[str, Mapping[str, str]]


def text(cell: str, _: Mapping[str, Any], __: Surroundings) -> str:
    return cell


def whole(cell: str, _: Mapping[str, Any], __: Surroundings) -> int:
    if not re.fullmatch(r"[+-]?\d+", cell.replace(",", "")):
        raise ValueError(f"{cell!r} is not a whole number")
    return int(cell.replace(",", ""))


def money(cell: str, spec: Mapping[str, Any], _: Surroundings) -> dict[str, str]:
    try:
        amount = Decimal(cell.replace(",", "")).scaleb(int(spec.get("scale", 0)))
    except InvalidOperation:
        raise ValueError(f"{cell!r} is not a decimal number") from None
    if not amount.is_finite():
        raise ValueError(f"{cell!r} is not an amount")
    return {"amount": f"{amount:f}", "currency": str(spec["currency"])}


def day(cell: str, spec: Mapping[str, Any], _: Surroundings) -> str:
    return _day(cell, spec).isoformat()


def midnight(cell: str, spec: Mapping[str, Any], around: Surroundings) -> str:
    found = _day(cell, spec)
    return datetime(found.year, found.month, found.day, tzinfo=around.zone).isoformat()


def moment(cell: str, spec: Mapping[str, Any], around: Surroundings) -> str:
    """A point in time; in the map's zone, where the cell names none."""
    try:
        form = spec.get("format")
        found = datetime.strptime(cell, form) if form else datetime.fromisoformat(cell)  # noqa: DTZ007
    except ValueError:
        raise ValueError(f"{cell!r} is not a point in time") from None
    return (found if found.tzinfo else found.replace(tzinfo=around.zone)).astimezone(UTC).isoformat()


def yes_or_no(cell: str, _: Mapping[str, Any], __: Surroundings) -> bool:
    said = cell.lower()
    if said not in ("1", "0", "true", "false", "yes", "no", "y", "n", "是", "否"):
        raise ValueError(f"{cell!r} is neither yes nor no")
    return said in ("1", "true", "yes", "y", "是")


def _day(cell: str, spec: Mapping[str, Any]) -> date:
    try:
        form = spec.get("format")
        return datetime.strptime(cell, form).date() if form else date.fromisoformat(cell)  # noqa: DTZ007
    except ValueError:
        raise ValueError(f"{cell!r} is not a date") from None


CONVERTERS: Mapping[str, Callable[[str, Mapping[str, Any], Surroundings], Any]] = {
    "text": text,
    "int": whole,
    "money": money,
    "date": day,
    "midnight": midnight,
    "time": moment,
    "bool": yes_or_no,
}
