"""Every figure counted from what was told, in plain Python that shares no code with what is tested."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from contracts import service_desk as desk

from tests.analytics import complaint_oracle, oracle
from tests.system.sales import STAGES
from tests.system.telling import Told

Figures = dict[tuple[object, ...], object]
History = Sequence[tuple[Any, datetime]]

ZONE = ZoneInfo("Asia/Shanghai")
# The whole, a month, some days: each is asked for, and counted, by itself.
PERIODS = (("2024-12-01", "2026-11-01"), ("2025-03-01", "2025-04-01"), ("2025-06-15", "2025-06-29"))
DIMENSIONS = ("all", "owner", "source")
# Mode, period, dimension: the modes that no cells are kept for are asked for of the whole.
COHORTS = [
    *(("reached", period, by) for period in PERIODS for by in DIMENSIONS),
    *((mode, PERIODS[0], by) for mode in ("touched", "strict") for by in DIMENSIONS),
]
BEYOND = [f"n{step}" for step in range(len(STAGES) + 1, oracle.PLACES + 1)]


def expected(told: Iterable[Told]) -> Figures:
    histories: dict[UUID, list[tuple[Any, datetime]]] = {}
    for each in told:
        histories.setdefault(each.record, []).extend(each.facts)

    def of(kind: str) -> list[History]:
        return [history for history in histories.values() if type(history[0][0]).__name__ == kind]

    deals, placed = of("OpportunityCreated"), of("OrderPlaced")
    complaints = [with_lateness(history) for history in of("ComplaintRegistered")]
    found: Figures = {}
    for mode in ("reached", "touched", "strict"):
        found |= cohort(oracle.funnel(deals, ZONE, oracle.Ask(mode=mode)), mode)
    found |= snapshot(oracle.funnel(deals, ZONE, oracle.Ask()))
    found |= closed(oracle.funnel(deals, ZONE, oracle.Ask()))
    found |= {("retention", *key): n for key, n in oracle.retention(placed, ZONE).items()}
    found |= sales(placed)
    return found | service(complaint_oracle.complaints(complaints, ZONE))


def cohort(count: oracle.Count, mode: str) -> Figures:
    sums = Counter[tuple[object, ...]]()
    for (view, _, dimension, day, value, _, name), n in count.items():
        # A win has reached every step, also those that this pipeline does not have.
        if view != "cohort" or name in BEYOND:
            continue
        for asked, period, by in COHORTS:
            if (asked, by) == (mode, dimension) and period[0] <= str(day) < period[1]:
                sums[view, mode, period, by, value, name] += n
    return dict(sums)


def snapshot(count: oracle.Count) -> Figures:
    sums = Counter[tuple[object, ...]]()
    for (view, _, by, stage, value, currency, name), n in count.items():
        if view == "snapshot" and by in DIMENSIONS:
            sums[view, by, value, stage, name, currency if name == "minor" else ""] += n
    return dict(sums)


def closed(count: oracle.Count) -> Figures:
    sums = Counter[tuple[object, ...]]()
    for (view, _, by, day, value, currency, name), n in count.items():
        for period in PERIODS:
            if view == "closed" and period[0] <= str(day) < period[1]:
                sums[view, period, by, value, name, currency if "_minor" in str(name) else ""] += n
    rates: Figures = {}
    for key in {key[:4] for key in sums}:
        won, lost = sums[*key, "won", ""], sums[*key, "lost", ""]
        rates[*key, "win rate"] = won / (won + lost)
    return dict(sums) | rates


def sales(placed: Iterable[History]) -> Figures:
    sums = Counter[tuple[object, ...]]()
    for (order, at), *cancelled in placed:
        day = at.astimezone(ZONE).strftime("%Y-%m-%d")
        for period in PERIODS:
            if not cancelled and period[0] <= day < period[1]:
                sums["sales", period, order.currency, "orders"] += 1
                sums["sales", period, order.currency, "minor"] += order.total_minor
    return dict(sums)


def service(count: complaint_oracle.Count) -> Figures:
    sums = Counter[tuple[object, ...]]()
    for (view, by, day, value, name), n in count.items():
        if view == "open":
            sums[view, by, value, name] += n
        for period in PERIODS:
            if view == "flow" and period[0] <= str(day) < period[1]:
                sums[view, period, by, value, name] += n
    return dict(sums)


def with_lateness(history: History) -> History:
    """The story lies in the past: the service itself tells of each promised reply that never came."""
    registered = history[0][0]
    answers = [at for fact, at in history if isinstance(fact, desk.FirstReplySent | desk.ComplaintResolved)]
    if answers:
        return history
    due = registered.reply_due_at
    return [*history, (desk.FirstReplyOverdue(complaint_id=registered.complaint_id, due_at=due), due)]
