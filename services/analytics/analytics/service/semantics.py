"""Complaints in figures: what came in, how fast it was answered, what was resolved or came back (D5, D14).

A key is (view, dimension, day, value), four texts:
- flow: each thing on the day (of the company's zone) on which it occurred, under the owner of that moment ->
  (registered, replied, met, late, resolved, reopened, confirmed, closed, escalated, then the replies by elapsed
  hours).
  `resolved` to `closed` count every episode; `met` is counted on the day on which a reply or a solution kept
  the promise and `late` on that of the due time, so that it does not wait for an answer that never comes.
- open: day "", under the present owner -> (open, thereof unanswered, thereof late, resolved but not closed).
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from analytics.semantics import (
    CellKey,
    Cells,
    Moment,
    Numbers,
    Period,
    day_of,
    owner_at,
    rate,
    total,
    value_of,
)
from analytics.service.complaint import Complaint, is_late, is_open, settled

Dimension = Literal["all", "owner", "channel"]

EDGES = tuple(timedelta(hours=hours) for hours in (1, 4, 8, 24, 48, 72, 168))
"""Upper limits of the classes of elapsed time, each within its class; the eighth class has none."""

REGISTERED, REPLIED, MET, LATE, RESOLVED, REOPENED, CONFIRMED, CLOSED, ESCALATED, FIRST_CLASS = range(10)
_WIDTH = FIRST_CLASS + len(EDGES) + 1
_PLACES = {"resolved": RESOLVED, "reopened": REOPENED, "confirmed": CONFIRMED, "closed": CLOSED}


@dataclass(frozen=True, slots=True)
class DeskRow:
    """`met_rate` = met / (met + late). `replies` are counted by the time elapsed since the registration, see
    `EDGES`; `within_day` is the share of them that came within 24 hours.
    """

    day: str
    value: str
    registered: int
    replied: int
    met: int
    late: int
    met_rate: float | None
    resolved: int
    reopened: int
    reopen_rate: float | None
    confirmed: int
    closed: int
    escalated: int
    replies: Numbers
    within_day: float | None


@dataclass(frozen=True, slots=True)
class OpenRow:
    """Now: `open` wait for a resolution; of these `unanswered` had neither a reply nor a solution so far, of
    which `late` are past their due time. `unclosed` are resolved and not closed.
    """

    value: str
    open: int
    unanswered: int
    late: int
    unclosed: int


@dataclass(frozen=True, slots=True)
class Desk:
    """`attribution` of the flow is the owner of each moment, that of the open complaints the present one."""

    view: str
    attribution: str
    zone: str
    period: Period
    breakdown: Dimension
    flow: tuple[DeskRow, ...]
    open: tuple[OpenRow, ...]


def contribute(complaint: Complaint, zone: ZoneInfo) -> Cells:
    if complaint.registered_at is None:
        return {}
    cells: Cells = {}
    days: dict[str, list[int]] = {}
    owned: dict[tuple[str, str], list[int]] = {}
    alone = value_of(complaint.owners[0].owner_id) if len(complaint.owners) == 1 else None
    for moment, place in _things(complaint):
        day = day_of(moment[0], zone)
        days.setdefault(day, [0] * _WIDTH)[place] += 1
        if alone is None:
            owner = value_of(owner_at(complaint.owners, moment).owner_id)
            owned.setdefault((day, owner), [0] * _WIDTH)[place] += 1
    for day, counts in days.items():
        numbers = tuple(counts)
        cells["flow", "all", day, ""] = numbers
        cells["flow", "channel", day, complaint.channel] = numbers
        if alone is not None:
            cells["flow", "owner", day, alone] = numbers
    for (day, owner), counts in owned.items():
        cells["flow", "owner", day, owner] = tuple(counts)
    standing = _standing(complaint)
    if any(standing):
        cells["open", "all", "", ""] = standing
        cells["open", "channel", "", complaint.channel] = standing
        cells["open", "owner", "", value_of(complaint.owners[-1].owner_id)] = standing
    return cells


def cells_of(complaints: Iterable[Complaint], zone: ZoneInfo) -> Cells:
    return total(contribute(complaint, zone) for complaint in complaints)


def desk(
    cells: Cells, period: Period, zone: ZoneInfo, *, breakdown: Dimension = "all", daily: bool = True
) -> Desk:
    """What happened in the period, per day or altogether (`day` is then empty), and what is open now."""
    start, end = period.start.isoformat(), period.end.isoformat()
    sums: dict[tuple[str, str], Numbers] = {}
    standing: dict[str, Numbers] = {}
    for (view, dimension, day, value), numbers in _filled(cells):
        if dimension == breakdown and view == "open":
            standing[value] = numbers
        elif dimension == breakdown and start <= day < end:
            row = (day if daily else "", value)
            before = sums.get(row)
            sums[row] = numbers if before is None else tuple(map(int.__add__, before, numbers))
    return Desk(
        view="flow",
        attribution="at_step",
        zone=zone.key,
        period=period,
        breakdown=breakdown,
        flow=tuple(_row(day, value, numbers) for (day, value), numbers in sorted(sums.items())),
        open=tuple(OpenRow(value, *numbers) for value, numbers in sorted(standing.items())),
    )


def _things(complaint: Complaint) -> Iterator[tuple[Moment, int]]:
    registered_at, due_at, reply = complaint.registered_at, complaint.due_at, complaint.reply
    if registered_at is not None:
        yield (registered_at, complaint.owners[0].turn), REGISTERED
    kept = settled(complaint)
    if due_at is not None and is_late(complaint):
        # Assignments at the very instant of the due time are in force, whenever they were told.
        yield (due_at, complaint.turn), LATE
    elif kept is not None:
        yield kept, MET
    if reply is not None and registered_at is not None:
        yield reply, REPLIED
        yield reply, FIRST_CLASS + bisect_left(EDGES, reply.at - registered_at)
    for moment in complaint.escalations:
        yield moment, ESCALATED
    for turn in complaint.turns:
        yield turn[:2], _PLACES[turn.kind]


def _standing(complaint: Complaint) -> Numbers:
    if is_open(complaint):
        unanswered = settled(complaint) is None
        return (1, int(unanswered), int(unanswered and complaint.told_overdue), 0)
    return (0, 0, 0, int(complaint.turns[-1].kind != "closed"))


def _filled(cells: Cells) -> Iterator[tuple[CellKey, Numbers]]:
    return ((key, numbers) for key, numbers in cells.items() if any(numbers))


def _row(day: str, value: str, numbers: Numbers) -> DeskRow:
    replies = numbers[FIRST_CLASS:]
    return DeskRow(
        day=day,
        value=value,
        registered=numbers[REGISTERED],
        replied=numbers[REPLIED],
        met=numbers[MET],
        late=numbers[LATE],
        met_rate=rate(numbers[MET], numbers[MET] + numbers[LATE]),
        resolved=numbers[RESOLVED],
        reopened=numbers[REOPENED],
        reopen_rate=rate(numbers[REOPENED], numbers[RESOLVED]),
        confirmed=numbers[CONFIRMED],
        closed=numbers[CLOSED],
        escalated=numbers[ESCALATED],
        replies=replies,
        within_day=rate(sum(replies[: EDGES.index(timedelta(days=1)) + 1]), numbers[REPLIED]),
    )
