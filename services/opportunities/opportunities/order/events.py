"""What happened to an order. Amounts are minor units of the order's currency."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    product: str
    quantity: int
    unit_price_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPlaced:
    """`total_minor` is the sum of the lines; an order of nothing counts as an order."""

    customer_id: UUID
    opportunity_id: UUID | None
    owner_id: UUID | None
    owner_team: str | None
    currency: str
    total_minor: int
    lines: tuple[OrderLine, ...]
    product_cost_minor: int
    sales_cost_minor: int
    service_cost_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCancelled:
    """Repeats whose order it was and how much, so that a subscriber can subtract it on its own."""

    customer_id: UUID
    currency: str
    total_minor: int
    reason: str


# The names of these classes and of their fields are stored for ever: a rename is an upcast.
OrderEvent = OrderPlaced | OrderCancelled
