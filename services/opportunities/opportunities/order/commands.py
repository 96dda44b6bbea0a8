"""What can be asked of an order."""

from dataclasses import dataclass
from uuid import UUID

from opportunities.order.events import OrderLine


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOrder:
    customer_id: UUID
    opportunity_id: UUID | None = None
    owner_id: UUID | None = None
    owner_team: str | None = None
    currency: str
    lines: tuple[OrderLine, ...]
    product_cost_minor: int = 0
    sales_cost_minor: int = 0
    service_cost_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrder:
    """`reason` is a slug: it is published, so no words about a person belong in it."""

    reason: str


OrderCommand = PlaceOrder | CancelOrder
