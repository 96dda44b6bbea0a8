"""The specification of an order."""

from dataclasses import replace

import pytest
from kernel.domain.errors import Conflict, Invalid, NotFound
from kernel.testing.specs import Spec
from opportunities.order.commands import CancelOrder, PlaceOrder
from opportunities.order.decider import MOST_LINES, MOST_OF_ONE_PRODUCT, order_decider
from opportunities.order.events import OrderLine, OrderPlaced

from tests.opportunities.examples import CANCELLED, HARBOUR_LTD, HOSE, PLACE, PLACED, PUMPS

given = Spec(order_decider).given


def test_an_order_is_placed_and_its_total_is_the_sum_of_its_lines() -> None:
    given().when(PLACE).then(PLACED)


def test_an_order_is_placed_once() -> None:
    given(PLACED).when(PLACE).then_refused(Conflict, "ORDER_EXISTS")
    given(PLACED, CANCELLED).when(PLACE).then_refused(Conflict, "ORDER_EXISTS")


def test_an_order_of_nothing_counts_and_needs_neither_deal_nor_owner() -> None:
    gift = OrderLine(product="sample", quantity=1, unit_price_minor=0)
    given().when(PlaceOrder(customer_id=HARBOUR_LTD, currency="CNY", lines=(gift,))).then(
        OrderPlaced(
            customer_id=HARBOUR_LTD,
            opportunity_id=None,
            owner_id=None,
            owner_team=None,
            currency="CNY",
            total_minor=0,
            lines=(gift,),
            product_cost_minor=0,
            sales_cost_minor=0,
            service_cost_minor=0,
        )
    )


def test_an_order_has_one_to_five_hundred_lines() -> None:
    given().when(replace(PLACE, lines=())).then_refused(Invalid, "LINE_COUNT")
    given().when(replace(PLACE, lines=(HOSE,) * (MOST_LINES + 1))).then_refused(Invalid, "LINE_COUNT")
    most = (HOSE,) * MOST_LINES
    given().when(replace(PLACE, lines=most)).then(replace(PLACED, lines=most, total_minor=50_000_00))


@pytest.mark.parametrize("quantity", [-1, 0, MOST_OF_ONE_PRODUCT + 1])
def test_a_line_is_of_at_least_one_piece(quantity: int) -> None:
    given().when(replace(PLACE, lines=(replace(PUMPS, quantity=quantity),))).then_refused(
        Invalid, "QUANTITY_INVALID"
    )


@pytest.mark.parametrize("minor", [-1, 2**53])
def test_prices_and_costs_are_not_negative_and_not_astronomic(minor: int) -> None:
    for command in (
        replace(PLACE, lines=(replace(PUMPS, unit_price_minor=minor),)),
        replace(PLACE, product_cost_minor=minor),
        replace(PLACE, sales_cost_minor=minor),
        replace(PLACE, service_cost_minor=minor),
    ):
        given().when(command).then_refused(Invalid, "AMOUNT_INVALID")


def test_a_total_is_not_astronomic_even_if_its_lines_are_not() -> None:
    dear = OrderLine(product="ship", quantity=2, unit_price_minor=2**52)
    given().when(replace(PLACE, lines=(dear,))).then_refused(Invalid, "AMOUNT_INVALID")


def test_a_currency_is_three_capital_letters() -> None:
    for currency in ("", "cny", "YUAN"):
        given().when(replace(PLACE, currency=currency)).then_refused(Invalid, "CURRENCY_INVALID")


def test_a_product_and_a_team_are_named_on_a_line() -> None:
    for text in ("", "x" * 101, "two\nlines"):
        given().when(replace(PLACE, lines=(replace(PUMPS, product=text),))).then_refused(Invalid)
        given().when(replace(PLACE, owner_team=text)).then_refused(Invalid)


def test_a_cancellation_says_again_whose_order_it_was_and_how_much() -> None:
    given(PLACED).when(CancelOrder(reason="changed-mind")).then(CANCELLED)


def test_cancelling_twice_is_cancelling_once() -> None:
    given(PLACED, CANCELLED).when(CancelOrder(reason="changed-mind")).then_nothing()
    given(PLACED, CANCELLED).when(CancelOrder(reason="other")).then_nothing()


def test_an_order_that_does_not_exist_cannot_be_cancelled() -> None:
    given().when(CancelOrder(reason="changed-mind")).then_refused(NotFound, "NOT_FOUND")


def test_the_reason_of_a_cancellation_is_a_slug() -> None:
    given(PLACED).when(CancelOrder(reason="Mei said no")).then_refused(Invalid)
