"""What all figures share: the record that a fold sees, cells and their sum, periods, and who owned it when.

A figure is built in three pure steps: an entity's records are folded to a state, the state contributes
numbers to cells, and cells (of any origin: a table, or states loaded for the question) are read by one
function. So an answer from states is slower than one from the table, and never another.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple, Protocol, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

CellKey = tuple[str, ...]
Numbers = tuple[int, ...]
Cells = dict[CellKey, Numbers]
Share = Callable[[int, int], float | None]

Moment = tuple[datetime, int]
"""When it occurred, and which of the entity's facts told it (from 1): so equal times keep their order."""

Fact_co = TypeVar("Fact_co", covariant=True)


class Record(Protocol[Fact_co]):
    """A published fact as analytics stores it. Times are UTC; `position` rises with the entity's version."""

    @property
    def fact(self) -> Fact_co: ...
    @property
    def event_id(self) -> UUID: ...
    @property
    def occurred_at(self) -> datetime: ...
    @property
    def recorded_at(self) -> datetime: ...
    @property
    def position(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Period:
    """Days of the company's zone, from `start` on and before `end`."""

    start: date
    end: date


class Owner(NamedTuple):
    at: datetime
    turn: int
    owner_id: UUID | None
    team: str | None


def owner_at(owners: tuple[Owner, ...], moment: Moment) -> Owner:
    """Who owned the entity at a moment: the last that was told of what had occurred by then.

    "Last told" and not "latest": so the answer for now is always what the record itself shows.
    """
    for owner in reversed(owners):
        if owner[:2] <= moment:
            return owner
    return owners[0]


def value_of(name: UUID | str | None) -> str:
    """The value of a dimension as a cell's key has it; nobody and nothing are the empty text."""
    return "" if name is None else str(name)


def day_of(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).date().isoformat()


def add(into: Cells, cells: Cells) -> None:
    for key, numbers in cells.items():
        before = into.get(key)
        into[key] = numbers if before is None else tuple(map(int.__add__, before, numbers))


def total(contributions: Iterable[Cells]) -> Cells:
    """The cells of many entities: what the table holds, made from their states."""
    cells: Cells = {}
    for contribution in contributions:
        add(cells, contribution)
    return cells


def rate(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def no_rate(part: int, whole: int) -> None:
    """Between numbers of different entities there is no share."""
