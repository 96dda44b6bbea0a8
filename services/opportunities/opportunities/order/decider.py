"""The rules of an order: placed whole, and cancelled whole or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import assert_never
from uuid import UUID

from kernel.domain.decider import Decider
from kernel.domain.errors import Conflict, Invalid, NotFound

from opportunities.guards import must_be_amount, must_be_currency, must_be_line, must_be_slug
from opportunities.order.commands import CancelOrder, OrderCommand, PlaceOrder
from opportunities.order.events import OrderCancelled, OrderEvent, OrderLine, OrderPlaced

MOST_LINES = 500
MOST_OF_ONE_PRODUCT = 1_000_000_000
NOBODY = UUID(int=0)


class Status(Enum):
    MISSING = auto()
    PLACED = auto()
    CANCELLED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Whose order it is and how much, because its cancellation says so again; its owner, who may see it."""

    status: Status = Status.MISSING
    customer_id: UUID = NOBODY
    currency: str = ""
    total_minor: int = 0
    owner_id: UUID | None = None
    owner_team: str | None = None


def decide(order: Order, command: OrderCommand) -> Sequence[OrderEvent]:
    match command:
        case PlaceOrder():
            return place(order, command)
        case CancelOrder():
            return cancel(order, command)
        case _:
            assert_never(command)


def evolve(order: Order, event: OrderEvent) -> Order:
    match event:
        case OrderPlaced():
            return Order(
                status=Status.PLACED,
                customer_id=event.customer_id,
                currency=event.currency,
                total_minor=event.total_minor,
                owner_id=event.owner_id,
                owner_team=event.owner_team,
            )
        case OrderCancelled():
            return replace(order, status=Status.CANCELLED)
        case _:
            assert_never(event)


def place(order: Order, command: PlaceOrder) -> Sequence[OrderEvent]:
    if order.status is not Status.MISSING:
        raise Conflict("There is an order with this id already.", code="ORDER_EXISTS")
    must_be_line("owner_team", command.owner_team)
    must_be_currency(command.currency)
    must_be_lines(command.lines)
    must_be_amount("product_cost", command.product_cost_minor)
    must_be_amount("sales_cost", command.sales_cost_minor)
    must_be_amount("service_cost", command.service_cost_minor)
    total_minor = sum(line.quantity * line.unit_price_minor for line in command.lines)
    must_be_amount("total", total_minor)
    return [
        OrderPlaced(
            customer_id=command.customer_id,
            opportunity_id=command.opportunity_id,
            owner_id=command.owner_id,
            owner_team=command.owner_team,
            currency=command.currency,
            total_minor=total_minor,
            lines=command.lines,
            product_cost_minor=command.product_cost_minor,
            sales_cost_minor=command.sales_cost_minor,
            service_cost_minor=command.service_cost_minor,
        )
    ]


def cancel(order: Order, command: CancelOrder) -> Sequence[OrderEvent]:
    if order.status is Status.MISSING:
        # In the words of an order that the caller may not see: a refusal must not tell the two apart.
        raise NotFound("There is no such record.")
    if order.status is Status.CANCELLED:
        return []
    must_be_slug("reason", command.reason)
    return [
        OrderCancelled(
            customer_id=order.customer_id,
            currency=order.currency,
            total_minor=order.total_minor,
            reason=command.reason,
        )
    ]


def must_be_lines(lines: tuple[OrderLine, ...]) -> None:
    if not 1 <= len(lines) <= MOST_LINES:
        raise Invalid(f"An order has 1 to {MOST_LINES} lines.", code="LINE_COUNT", count=len(lines))
    for line in lines:
        must_be_line("product", line.product)
        must_be_amount("unit_price", line.unit_price_minor)
        if not 1 <= line.quantity <= MOST_OF_ONE_PRODUCT:
            raise Invalid(f"A quantity is 1 to {MOST_OF_ONE_PRODUCT}.", code="QUANTITY_INVALID")


order_decider = Decider(decide=decide, evolve=evolve, initial=Order())
