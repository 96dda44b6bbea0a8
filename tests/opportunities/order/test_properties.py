"""What holds for an order whatever is asked of it, in whatever order."""

from hypothesis import given
from hypothesis import strategies as st
from opportunities.order.commands import CancelOrder, OrderCommand, PlaceOrder
from opportunities.order.decider import Order, order_decider
from opportunities.order.events import OrderCancelled, OrderLine, OrderPlaced

from tests.opportunities.examples import HARBOUR_LTD
from tests.opportunities.walks import walk

minors = st.one_of(st.integers(0, 10**6), st.sampled_from([-1, 2**52, 2**53]))
lines = st.lists(
    st.builds(
        OrderLine,
        product=st.sampled_from(["pump", "hose", "", "two\nlines"]),
        quantity=st.one_of(st.integers(1, 100), st.sampled_from([-1, 0, 10**10])),
        unit_price_minor=minors,
    ),
    max_size=4,
).map(tuple)
commands: st.SearchStrategy[OrderCommand] = st.one_of(
    st.builds(
        PlaceOrder,
        customer_id=st.just(HARBOUR_LTD),
        currency=st.sampled_from(["CNY", "USD", "yuan"]),
        lines=lines,
        product_cost_minor=minors,
        sales_cost_minor=minors,
        service_cost_minor=minors,
    ),
    st.builds(CancelOrder, reason=st.sampled_from(["other", "Because Mei said so"])),
)


@given(st.lists(commands, max_size=12))
def test_any_sequence_of_commands_leaves_a_sound_order(asked: list[OrderCommand]) -> None:
    history, _ = walk(Order(), ((order_decider, command) for command in asked))
    assert [type(fact) for fact in history] in ([], [OrderPlaced], [OrderPlaced, OrderCancelled])
    for fact in history:
        assert 0 <= fact.total_minor < 2**53
        if isinstance(fact, OrderPlaced):
            assert fact.total_minor == sum(line.quantity * line.unit_price_minor for line in fact.lines)
        else:
            assert isinstance(history[0], OrderPlaced)
            assert fact.total_minor == history[0].total_minor
