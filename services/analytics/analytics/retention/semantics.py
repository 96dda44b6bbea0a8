"""Who came back: customers by the month of their first purchase, and how many bought again after (N2, N8).

A purchase is an order that is not cancelled, at the time it was placed. A cancellation takes the order out
altogether, also out of months long past: a customer whose first order falls away moves to a later cohort.
Months are calendar months of the company's zone; the offset is the difference of the months' numbers.

A key is (view, cohort, offset, currency), four texts:
- active: currency "" -> (customers active in that month, customers whose last active month it is). The second
  is kept because its sum from an offset on is "active then or later", so both kinds of retention are exact.
- revenue: -> (minor units, orders). Apart from `active`, so that a customer with two currencies counts once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate
from typing import NamedTuple, assert_never
from uuid import UUID
from zoneinfo import ZoneInfo

from contracts.opportunities import OrderCancelled, OrderPlaced

from analytics.semantics import CellKey, Cells, Period, Record, rate, total

CustomerFact = OrderPlaced | OrderCancelled


class Purchase(NamedTuple):
    """`at` is None while only the cancellation has been heard of. `total_minor` in minor units."""

    at: datetime | None
    currency: str
    total_minor: int
    cancelled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Customer:
    orders: Mapping[UUID, Purchase] = field(default_factory=dict)


BLANK = Customer()


@dataclass(frozen=True, slots=True)
class Cohort:
    """Counts by offset from 0. `on`: active in that month. `unbounded`: active in it or in any later one.

    Only the first `complete` offsets are months that are over; and `unbounded` may still rise for every
    offset but 0, because whoever was not seen since may yet return. `revenue`: per currency, minor units.
    """

    month: str
    size: int
    on: tuple[int, ...]
    unbounded: tuple[int, ...]
    revenue: Mapping[str, tuple[int, ...]]
    complete: int


@dataclass(frozen=True, slots=True)
class Share:
    """All cohorts together, for one offset: only those for which that month is over."""

    offset: int
    customers: int
    on: float | None
    unbounded: float | None


@dataclass(frozen=True, slots=True)
class Retention:
    view: str
    zone: str
    period: Period
    now: datetime
    cohorts: tuple[Cohort, ...]
    shares: tuple[Share, ...]


@dataclass(frozen=True, slots=True)
class Repurchase:
    """N2 in its two readings: `again` of `buyers` bought on two days or more of the window; of the `prior`
    buyers, who had bought before it, `returned` bought in it.
    """

    zone: str
    period: Period
    buyers: int
    again: int
    again_rate: float | None
    prior: int
    returned: int
    returned_rate: float | None


def key(fact: CustomerFact) -> UUID:
    return fact.customer_id


def project(customer: Customer, record: Record[CustomerFact]) -> Customer:
    """Placing and cancelling give the same, whichever is heard of first."""
    fact = record.fact
    known = customer.orders.get(fact.order_id)
    match fact:
        case OrderPlaced():
            cancelled_at = known.cancelled_at if known else None
            order = Purchase(record.occurred_at, fact.currency, fact.total_minor, cancelled_at)
        case OrderCancelled():
            order = known or Purchase(None, fact.currency, fact.total_minor, None)
            order = order._replace(cancelled_at=record.occurred_at)
        case never:
            assert_never(never)
    return Customer({**customer.orders, fact.order_id: order})


def as_at(customer: Customer, at: datetime) -> Customer:
    """The customer as at a moment of the world: only what had been placed, and cancelled, by then."""
    return Customer(
        {
            order_id: order._replace(cancelled_at=None)
            if order.cancelled_at and order.cancelled_at > at
            else order
            for order_id, order in customer.orders.items()
            if order.at is not None and order.at <= at
        }
    )


def contribute(customer: Customer, zone: ZoneInfo) -> Cells:
    sales: dict[tuple[int, str], tuple[int, int]] = {}
    months: set[int] = set()
    for order in customer.orders.values():
        if order.at is not None and order.cancelled_at is None:
            month = _month(order.at, zone)
            minor, orders = sales.get((month, order.currency), (0, 0))
            sales[month, order.currency] = (minor + order.total_minor, orders + 1)
            months.add(month)
    if not months:
        return {}
    first, last = min(months), max(months)
    cohort = _name(first)
    cells: Cells = {("active", cohort, str(month - first), ""): (1, int(month == last)) for month in months}
    for (month, currency), numbers in sales.items():
        cells["revenue", cohort, str(month - first), currency] = numbers
    return cells


def cells_of(customers: Iterable[Customer], zone: ZoneInfo) -> Cells:
    return total(contribute(customer, zone) for customer in customers)


def retention(cells: Cells, period: Period, now: datetime, zone: ZoneInfo) -> Retention:
    """The cohorts whose month begins in the period, month by month until the one that `now` lies in."""
    found: dict[str, dict[CellKey, tuple[int, ...]]] = {}
    for cell, numbers in cells.items():
        if any(numbers) and period.start.isoformat() <= f"{cell[1]}-01" < period.end.isoformat():
            found.setdefault(cell[1], {})[cell] = numbers
    cohorts = tuple(_cohort(month, own, _month(now, zone)) for month, own in sorted(found.items()))
    longest = max((cohort.complete for cohort in cohorts), default=0)
    shares = tuple(_share(cohorts, offset) for offset in range(longest))
    return Retention("first_purchase:calendar_month", zone.key, period, now, cohorts, shares)


def repurchase(customers: Iterable[Customer], period: Period, zone: ZoneInfo) -> Repurchase:
    buyers = again = prior = returned = 0
    for customer in customers:
        days = {
            order.at.astimezone(zone).date()
            for order in customer.orders.values()
            if order.at is not None and order.cancelled_at is None
        }
        within = sum(period.start <= day < period.end for day in days)
        before = any(day < period.start for day in days)
        buyers += within >= 1
        again += within >= 2
        prior += before
        returned += before and within >= 1
    return Repurchase(
        zone.key, period, buyers, again, rate(again, buyers), prior, returned, rate(returned, prior)
    )


def _month(at: datetime, zone: ZoneInfo) -> int:
    local = at.astimezone(zone)
    return local.year * 12 + local.month - 1


def _name(month: int) -> str:
    return f"{month // 12:04}-{month % 12 + 1:02}"


def _cohort(month: str, cells: Mapping[CellKey, tuple[int, ...]], present: int) -> Cohort:
    year, number = month.split("-")
    complete = max(present - (int(year) * 12 + int(number) - 1), 0)
    offsets = range(max(complete + 1, *(int(cell[2]) + 1 for cell in cells)))
    active = [cells.get(("active", month, str(offset), ""), (0, 0)) for offset in offsets]
    unbounded = tuple(accumulate(last for _, last in reversed(active)))[::-1]
    currencies = sorted({cell[3] for cell in cells if cell[0] == "revenue"})
    return Cohort(
        month=month,
        size=unbounded[0],
        on=tuple(on for on, _ in active),
        unbounded=unbounded,
        revenue={
            currency: tuple(
                cells.get(("revenue", month, str(offset), currency), (0, 0))[0] for offset in offsets
            )
            for currency in currencies
        },
        complete=complete,
    )


def _share(cohorts: Iterable[Cohort], offset: int) -> Share:
    over = [cohort for cohort in cohorts if cohort.complete > offset]
    customers = sum(cohort.size for cohort in over)
    on = rate(sum(cohort.on[offset] for cohort in over), customers)
    return Share(offset, customers, on, rate(sum(cohort.unbounded[offset] for cohort in over), customers))
