"""Orders over HTTP: place, cancel; read, list, timeline."""

from datetime import datetime
from functools import partial
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter
from kernel.domain.errors import Invalid
from kernel.storage.aggregate import Handled
from kernel.web.commands import CommandBody, CreationBody, Operation, route
from kernel.web.fields import MoneyField
from kernel.web.paging import ListRead
from kernel.web.reads import RecordRead, TimelineRead, show
from pydantic import BaseModel, ConfigDict, Field

from opportunities.fields import Label, Slug, priced
from opportunities.order.aggregate import order
from opportunities.order.commands import CancelOrder, PlaceOrder
from opportunities.order.decider import MOST_LINES, MOST_OF_ONE_PRODUCT, Order
from opportunities.order.events import OrderCancelled, OrderEvent, OrderLine, OrderPlaced
from opportunities.order.views.listing import OrderItem, OrderListQuery, listing, total

router = APIRouter(tags=["orders"])

_CUSTOMER = UUID("01900000-0000-7000-8000-000000000010")
_LINES = [{"product": "pump", "quantity": 12, "unit_price": {"amount": "980.00", "currency": "CNY"}}]


class LineField(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    product: Label
    quantity: Annotated[int, Field(ge=1, le=MOST_OF_ONE_PRODUCT)]
    unit_price: MoneyField

    @classmethod
    def of(cls, line: OrderLine, currency: str) -> "LineField":
        return cls.model_construct(
            product=line.product,
            quantity=line.quantity,
            unit_price=priced(line.unit_price_minor, currency),
        )


Cost = Annotated[MoneyField | None, Field(examples=[{"amount": "310.00", "currency": "CNY"}])]


class Placement(CreationBody):
    """The first line's currency is the order's; all other amounts must be in it."""

    customer_id: UUID = Field(examples=[_CUSTOMER])
    opportunity_id: UUID | None = Field(None, description="the deal it comes from")
    owner_id: UUID | None = Field(None, description="left out: unassigned, seen by all of sales")
    owner_team: Label | None = Field(None, examples=["north"])
    lines: list[LineField] = Field(min_length=1, max_length=MOST_LINES, examples=[_LINES])
    product_cost: Cost = None
    sales_cost: Cost = None
    service_cost: Cost = None

    def command(self) -> PlaceOrder:
        currency = self.lines[0].unit_price.currency
        lines = tuple(
            OrderLine(
                product=line.product,
                quantity=line.quantity,
                unit_price_minor=minor(line.unit_price, currency, f"#/lines/{number}/unit_price"),
            )
            for number, line in enumerate(self.lines)
        )
        return PlaceOrder(
            customer_id=self.customer_id,
            opportunity_id=self.opportunity_id,
            owner_id=self.owner_id,
            owner_team=self.owner_team,
            currency=currency,
            lines=lines,
            product_cost_minor=minor(self.product_cost, currency, "#/product_cost"),
            sales_cost_minor=minor(self.sales_cost, currency, "#/sales_cost"),
            service_cost_minor=minor(self.service_cost, currency, "#/service_cost"),
        )


def minor(amount: MoneyField | None, currency: str, pointer: str) -> int:
    """Minor units; a cost that is not given is none."""
    if amount is None:
        return 0
    if amount.currency != currency:
        raise Invalid(
            f"This order is in {currency}.", code="CURRENCY_MISMATCH", pointer=pointer, currency=currency
        )
    return amount.money().minor


class Cancellation(CommandBody):
    reason: Slug = Field(description="from the company's own list; published", examples=["changed-mind"])

    def command(self) -> CancelOrder:
        return CancelOrder(reason=self.reason)


class CancellationOut(BaseModel):
    at: datetime
    reason: str


class OrderOut(BaseModel):
    """`total` is the sum of the lines; the three costs are what the order takes to fulfil."""

    id: UUID
    version: int
    status: str
    customer_id: UUID
    opportunity_id: UUID | None
    owner_id: UUID | None
    owner_team: str | None
    total: MoneyField
    lines: list[LineField]
    product_cost: MoneyField
    sales_cost: MoneyField
    service_cost: MoneyField
    created_at: datetime
    cancellation: CancellationOut | None

    @classmethod
    def of(cls, handled: Handled[Order, OrderEvent]) -> "OrderOut":
        first = handled.facts[0]
        placed = cast(OrderPlaced, first.fact)  # nothing else begins an order
        return cls(
            id=handled.stream_id,
            version=handled.version,
            status=handled.state.status.name.lower(),
            customer_id=placed.customer_id,
            opportunity_id=placed.opportunity_id,
            owner_id=placed.owner_id,
            owner_team=placed.owner_team,
            total=priced(placed.total_minor, placed.currency),
            lines=[LineField.of(line, placed.currency) for line in placed.lines],
            product_cost=priced(placed.product_cost_minor, placed.currency),
            sales_cost=priced(placed.sales_cost_minor, placed.currency),
            service_cost=priced(placed.service_cost_minor, placed.currency),
            created_at=first.occurred_at,
            cancellation=cancellation(handled),
        )


def cancellation(handled: Handled[Order, OrderEvent]) -> CancellationOut | None:
    for recorded in handled.facts:
        if isinstance(recorded.fact, OrderCancelled):
            return CancellationOut(at=recorded.occurred_at, reason=recorded.fact.reason)
    return None


writing = partial(Operation, aggregate=order, answer=OrderOut.of, model=OrderOut)

operations = route(
    router,
    [
        writing(
            id="orders.place",
            path="/v1/orders",
            body=Placement,
            summary="Place an order",
            creates=True,
        ),
        writing(
            id="orders.cancel",
            path="/v1/orders/{id}/cancel",
            body=Cancellation,
            summary="Cancel an order, whole",
        ),
    ],
)


reads = show(
    router,
    [
        ListRead(
            id="orders.list",
            path="/v1/orders",
            category=order.category,
            view=listing,
            query=OrderListQuery,
            item=OrderItem,
            needs=("total_minor",),
            other=total,
            summary="List orders",
        ),
        RecordRead(
            id="orders.read",
            path="/v1/orders/{id}",
            aggregate=order,
            of=OrderOut.of,
            model=OrderOut,
            summary="Read an order",
        ),
        TimelineRead(
            id="orders.timeline",
            path="/v1/orders/{id}/timeline",
            aggregate=order,
            summary="Everything that happened to an order",
        ),
    ],
)
