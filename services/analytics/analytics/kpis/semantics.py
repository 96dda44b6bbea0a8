"""Sales in figures: orders, their value, their cost ratio, and the attainment of a target (N1, N4, N5).

A key is (view, dimension, day, value, currency), five texts; the day is that of the company's zone on which
the order was placed. Currencies are never added up: a figure is always of one.

- sales: -> (orders, sales, product cost, sales cost, service cost), the last four in minor units.

A cancelled order counts nowhere, also not in the past. Customers are those of the retention figures.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, assert_never
from uuid import UUID
from zoneinfo import ZoneInfo

from contracts.opportunities import OrderCancelled, OrderPlaced

from analytics.semantics import Cells, Numbers, Period, Record, day_of, rate, total, value_of

OrderFact = OrderPlaced | OrderCancelled
Dimension = Literal["all", "owner", "team"]


@dataclass(frozen=True, slots=True)
class Order:
    """Amounts in minor units of the currency. `placed_at` is None until the order itself is heard of."""

    placed_at: datetime | None = None
    cancelled_at: datetime | None = None
    owner_id: UUID | None = None
    team: str | None = None
    currency: str = ""
    total_minor: int = 0
    product_cost_minor: int = 0
    sales_cost_minor: int = 0
    service_cost_minor: int = 0


BLANK = Order()


@dataclass(frozen=True, slots=True)
class SalesRow:
    """`cost_ratio` = cost / sales, of the sums and never a mean of the orders' ratios (N4)."""

    value: str
    currency: str
    orders: int
    sales_minor: int
    cost_minor: int
    cost_ratio: float | None


@dataclass(frozen=True, slots=True)
class Sales:
    view: str
    attribution: str
    zone: str
    period: Period
    breakdown: Dimension
    rows: tuple[SalesRow, ...]


def key(fact: OrderFact) -> UUID:
    return fact.order_id


def project(order: Order, record: Record[OrderFact]) -> Order:
    """Placing and cancelling give the same, whichever is heard of first."""
    match record.fact:
        case OrderPlaced() as fact:
            return Order(
                placed_at=record.occurred_at,
                cancelled_at=order.cancelled_at,
                owner_id=fact.owner_id,
                team=fact.owner_team,
                currency=fact.currency,
                total_minor=fact.total_minor,
                product_cost_minor=fact.product_cost_minor,
                sales_cost_minor=fact.sales_cost_minor,
                service_cost_minor=fact.service_cost_minor,
            )
        case OrderCancelled():
            return replace(order, cancelled_at=record.occurred_at)
        case never:
            assert_never(never)


def as_at(order: Order, at: datetime) -> Order:
    """The order as at a moment of the world: only what had been placed, and cancelled, by then."""
    if order.placed_at is None or order.placed_at > at:
        return BLANK
    standing = order.cancelled_at is None or order.cancelled_at > at
    return replace(order, cancelled_at=None) if standing else order


def contribute(order: Order, zone: ZoneInfo) -> Cells:
    if order.placed_at is None or order.cancelled_at is not None:
        return {}
    day, currency = day_of(order.placed_at, zone), order.currency
    costs = (order.product_cost_minor, order.sales_cost_minor, order.service_cost_minor)
    numbers = (1, order.total_minor, *costs)
    return {
        ("sales", "all", day, "", currency): numbers,
        ("sales", "owner", day, value_of(order.owner_id), currency): numbers,
        ("sales", "team", day, value_of(order.team), currency): numbers,
    }


def cells_of(orders: Iterable[Order], zone: ZoneInfo) -> Cells:
    return total(contribute(order, zone) for order in orders)


def sales(cells: Cells, period: Period, zone: ZoneInfo, *, breakdown: Dimension = "all") -> Sales:
    """The orders placed in the period, under the owner or team that placed them."""
    start, end = period.start.isoformat(), period.end.isoformat()
    sums: dict[tuple[str, str], Numbers] = {}
    for (_, dimension, day, value, currency), numbers in cells.items():
        if dimension == breakdown and start <= day < end and any(numbers):
            before = sums.get((value, currency), (0,) * len(numbers))
            sums[value, currency] = tuple(map(int.__add__, before, numbers))
    rows = tuple(_row(value, currency, numbers) for (value, currency), numbers in sorted(sums.items()))
    return Sales("sales", "at_step", zone.key, period, breakdown, rows)


def attainment(actual_minor: int, target_minor: int) -> float | None:
    """N1: actual / target of one owner, team or company, period and currency; not capped (1.2 is 120 %)."""
    return rate(actual_minor, target_minor)


def _row(value: str, currency: str, numbers: Numbers) -> SalesRow:
    orders, sold, *costs = numbers
    return SalesRow(value, currency, orders, sold, sum(costs), rate(sum(costs), sold))
