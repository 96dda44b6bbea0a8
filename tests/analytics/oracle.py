"""The same figures counted again, by brute force over lists of facts: slow, plain, and sharing no code.

A history is a list of (fact, occurred_at) in the order told. A count maps what is counted to its number.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from contracts import opportunities as deals

Fact = TypeVar("Fact")
Count = Counter[tuple[object, ...]]
Dealt = Sequence[tuple[object, datetime]]

PLACES = 16


@dataclass(frozen=True)
class Ask:
    mode: str = "reached"
    attribution: str = "at_step"
    window: timedelta | None = None
    now: datetime | None = None
    per_attempt: bool = False


def funnel(histories: Iterable[Dealt], zone: ZoneInfo, ask: Ask) -> Count:
    """(view, pipeline, dimension, day or stage, value, currency, name of the number) -> its value."""
    count: Count = Counter()
    for history in histories:
        told = [(at, index, fact) for index, (fact, at) in enumerate(history)]
        created_at, _, created = next(each for each in told if isinstance(each[2], deals.OpportunityCreated))
        assert isinstance(created, deals.OpportunityCreated)
        pipeline = str(created.pipeline_id)

        outcomes = [each for each in told if isinstance(each[2], _OUTCOMES)]
        closings = [each for each in outcomes if not isinstance(each[2], deals.OpportunityReopened)]
        still_closed = bool(outcomes) and outcomes[-1] in closings
        for at, index, name in cohort_of(told, created_at, closings[-1:] if still_closed else [], ask):
            by = values_of(created, owner_of(told, at, index, ask.attribution))
            tally(count, ("cohort", pipeline), (local(created_at, zone), ""), by, {name: 1})
        if not still_closed:
            amount, currency = latest_amount(told)
            by = values_of(created, owner_of(told, created_at, 0, "current"))
            tally(count, ("snapshot", pipeline), (stage_of(told), currency), by, {"open": 1, "minor": amount})
        for at, index, fact in closings if ask.per_attempt else closings[-1:] if still_closed else []:
            kind, amount, currency, reason = closing_of(fact)
            by = values_of(created, owner_of(told, at, index, ask.attribution)) | {"reason": reason}
            tally(
                count,
                ("closed", pipeline),
                (local(at, zone), currency),
                by,
                {kind: 1, f"{kind}_minor": amount},
            )
    return +count


def share(part: int, whole: int, ask: Ask, breakdown: str) -> float | None:
    """What part of a row's deals got so far, where they are the same deals; else there is no such part."""
    same = breakdown not in ("owner", "team") or ask.attribution in ("entry", "current")
    return part / whole if same and whole else None


def conversion(part: int, whole: int, ask: Ask, breakdown: str) -> float | None:
    """Who was in a stage need not have been in the one before it."""
    return None if ask.mode == "touched" else share(part, whole, ask, breakdown)


def values_of(created: deals.OpportunityCreated, owner: UUID | None) -> dict[str, str]:
    return {"all": "", "owner": str(owner or ""), "source": created.source or ""}


def tally(
    count: Count, what: tuple[str, str], where: tuple[str, str], by: dict[str, str], numbers: dict[str, int]
) -> None:
    for dimension, value in by.items():
        for name, number in numbers.items():
            count[(*what, dimension, where[0], value, where[1], name)] += number


def local(at: datetime, zone: ZoneInfo) -> str:
    there = at.astimezone(zone)
    return f"{there.year}-{there.month:02}-{there.day:02}"


Told = Sequence[tuple[datetime, int, object]]
_OUTCOMES = (deals.OpportunityWon, deals.OpportunityLost, deals.OpportunityReopened)


def cohort_of(told: Told, created_at: datetime, closings: Told, ask: Ask) -> list[tuple[datetime, int, str]]:
    """Each of the cohort's numbers that the deal adds one to, with the time and place that made it so."""
    first = [(created_at, 0, "entered")]
    if ask.window is not None:
        assert ask.now is not None
        if created_at + ask.window > ask.now:
            return first
    first.append((created_at, 0, "mature"))
    later = [(at, i, "won" if isinstance(f, deals.OpportunityWon) else "lost") for at, i, f in closings]
    voided = {f.entry for _, _, f in told if isinstance(f, deals.StageEntryVoided)}
    entries = [(at, i, f) for at, i, f in told if isinstance(f, deals.StageEntered) and f.entry not in voided]
    wins = [(at, i) for at, i, f in told if isinstance(f, deals.OpportunityWon)]
    previous: tuple[datetime, int] | None = None
    for place in range(PLACES):
        if ask.mode == "reached":
            candidates = [(at, i) for at, i, f in entries if f.stage_order >= place] + wins
        else:
            candidates = [(at, i) for at, i, f in entries if f.stage_order == place]
        if ask.mode == "strict" and place:
            candidates = [c for c in candidates if previous is not None and c > previous]
        previous = min(candidates) if candidates else None
        if previous is not None:
            later.append((*previous, f"n{place + 1}"))
    return first + [each for each in later if ask.window is None or each[0] <= created_at + ask.window]


def owner_of(told: Told, when: datetime, index: int, attribution: str) -> UUID | None:
    owners = [
        (at, i, f.owner_id)
        for at, i, f in told
        if isinstance(f, deals.OpportunityCreated | deals.OpportunityReassigned)
    ]
    if attribution == "entry":
        return owners[0][2]
    if attribution == "current":
        return owners[-1][2]
    known = [owner for at, i, owner in owners if at < when or (at == when and i <= index)]
    return known[-1] if known else owners[0][2]


def latest_amount(told: Told) -> tuple[int, str]:
    amounts = [f for _, _, f in told if isinstance(f, deals.OpportunityCreated | deals.AmountChanged)]
    return amounts[-1].amount_minor or 0, amounts[-1].currency


def stage_of(told: Told) -> str:
    voided = {f.entry for _, _, f in told if isinstance(f, deals.StageEntryVoided)}
    stages = [f.stage_id for _, _, f in told if isinstance(f, deals.StageEntered) and f.entry not in voided]
    return stages[-1] if stages else ""


def closing_of(fact: object) -> tuple[str, int, str, str]:
    if isinstance(fact, deals.OpportunityWon):
        return "won", fact.amount_minor, fact.currency, ""
    assert isinstance(fact, deals.OpportunityLost)
    return "lost", fact.amount_minor or 0, fact.currency, fact.reason


def retention(histories: Iterable[Dealt], zone: ZoneInfo) -> Count:
    """(kind, cohort, offset) -> customers on, customers on or later; and revenue by currency."""
    facts = [each for history in histories for each in history]
    cancelled = {fact.order_id for fact, _ in facts if isinstance(fact, deals.OrderCancelled)}
    orders = [
        (fact, (at.astimezone(zone).year, at.astimezone(zone).month))
        for fact, at in facts
        if isinstance(fact, deals.OrderPlaced) and fact.order_id not in cancelled
    ]
    count: Count = Counter()
    for customer in {fact.customer_id for fact, _ in orders}:
        own = [(fact, month) for fact, month in orders if fact.customer_id == customer]
        year, number = min(month for _, month in own)
        cohort = f"{year}-{number:02}"
        offsets = {(y - year) * 12 + m - number for _, (y, m) in own}
        for offset in offsets:
            count["on", cohort, offset] += 1
        for offset in range(max(offsets) + 1):
            count["unbounded", cohort, offset] += 1
        for fact, (y, m) in own:
            count["revenue", cohort, (y - year) * 12 + m - number, fact.currency] += fact.total_minor
    return +count
