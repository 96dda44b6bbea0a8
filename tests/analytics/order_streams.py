"""Random but possible orders of a few customers."""

from uuid import UUID

from analytics.retention.semantics import CustomerFact
from contracts import opportunities as public
from hypothesis import strategies as st

from tests.analytics.streams import CURRENCIES, History, choices, times


@st.composite
def order_histories(draw: st.DrawFn) -> list[History[CustomerFact]]:
    """A history per order: an order keeps its own sequence, the orders of a customer keep none."""
    orders = draw(st.lists(st.tuples(choices, times, times, st.booleans()), min_size=1, max_size=12))
    histories: list[History[CustomerFact]] = []
    for n, (choice, placed_at, cancelled_at, cancelled) in enumerate(orders):
        customer_id, order_id = UUID(int=0xC00 + choice % 3), UUID(int=0xE00 + n)
        history: History[CustomerFact] = [
            (placed(order_id, customer_id, CURRENCIES[choice % 2], choice), placed_at)
        ]
        if cancelled and choice % 3:
            history.append((cancelled_order(order_id, customer_id), max(placed_at, cancelled_at)))
        histories.append(history)
    return histories


def placed(order_id: UUID, customer_id: UUID, currency: str, total_minor: int) -> CustomerFact:
    return public.OrderPlaced(
        order_id=order_id,
        customer_id=customer_id,
        opportunity_id=None,
        owner_id=None,
        owner_team=None,
        currency=currency,
        total_minor=total_minor,
        lines=(),
        product_cost_minor=0,
        sales_cost_minor=0,
        service_cost_minor=0,
    )


def cancelled_order(order_id: UUID, customer_id: UUID) -> CustomerFact:
    return public.OrderCancelled(
        order_id=order_id, customer_id=customer_id, currency="CNY", total_minor=0, reason="mistake"
    )
