"""Orders as clients meet them."""

from typing import Any

import httpx
import pytest
from kernel.domain.ids import new_id
from kernel.testing.fixtures import new_key

from tests.opportunities.calls import Body, codes, done, place, refused
from tests.opportunities.examples import ADA, DEAL_ID, HARBOUR_LTD


def cny(amount: str) -> Body:
    return {"amount": amount, "currency": "CNY"}


def line(**said: Any) -> Body:
    return {"product": "pump", "quantity": 1, "unit_price": cny("1.00")} | said


async def test_an_order_is_the_sum_of_its_lines(admin: httpx.AsyncClient) -> None:
    order = await place(
        admin,
        opportunity_id=str(DEAL_ID),
        owner_id=str(ADA),
        owner_team="north",
        product_cost=cny("300.00"),
        sales_cost=cny("20.5"),
    )
    assert order == {
        "id": order["id"],
        "version": 1,
        "status": "placed",
        "customer_id": str(HARBOUR_LTD),
        "opportunity_id": str(DEAL_ID),
        "owner_id": str(ADA),
        "owner_team": "north",
        "total": cny("500.00"),
        "lines": [
            {"product": "pump", "quantity": 2, "unit_price": cny("200.00")},
            {"product": "hose", "quantity": 1, "unit_price": cny("100.00")},
        ],
        "product_cost": cny("300.00"),
        "sales_cost": cny("20.50"),
        "service_cost": cny("0.00"),
        "created_at": order["created_at"],
        "cancellation": None,
    }


async def test_a_cancelled_order_says_when_and_why(admin: httpx.AsyncClient) -> None:
    order = await place(admin, occurred_at="2026-01-05T09:00:00Z")
    said = {"reason": "changed-mind", "occurred_at": "2026-01-06T09:00:00Z"}
    order = done(await admin.post(f"/v1/orders/{order['id']}/cancel", json=said))
    assert order["status"] == "cancelled"
    assert order["cancellation"] == {"at": "2026-01-06T09:00:00Z", "reason": "changed-mind"}
    assert order["total"] == cny("500.00")


async def test_cancelling_twice_is_cancelling_once(admin: httpx.AsyncClient) -> None:
    path = f"/v1/orders/{(await place(admin))['id']}/cancel"
    first = done(await admin.post(path, json={"reason": "changed-mind"}))
    assert done(await admin.post(path, json={"reason": "late"})) == first


async def test_an_id_of_ones_own_is_taken_once(admin: httpx.AsyncClient) -> None:
    id = str(new_id())
    assert (await place(admin, id=id))["id"] == id
    body = {"id": id, "customer_id": str(HARBOUR_LTD), "lines": [line()]}
    refused(await admin.post("/v1/orders", json=body, headers=new_key()), 409, "ORDER_EXISTS")


async def test_the_currency_of_an_order_is_that_of_its_prices(admin: httpx.AsyncClient) -> None:
    yen = {"amount": "1200", "currency": "JPY"}
    order = await place(admin, lines=[line(quantity=3, unit_price=yen)])
    assert order["total"] == {"amount": "3600", "currency": "JPY"}
    assert order["product_cost"] == {"amount": "0", "currency": "JPY"}


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        (
            {"lines": [line(), line(unit_price={"amount": "1.00", "currency": "USD"})]},
            "#/lines/1/unit_price",
        ),
        ({"service_cost": {"amount": "1.00", "currency": "USD"}}, "#/service_cost"),
    ],
)
async def test_an_order_is_in_one_currency(admin: httpx.AsyncClient, said: Body, pointer: str) -> None:
    body = {"customer_id": str(HARBOUR_LTD), "lines": [line()]} | said
    answer = await admin.post("/v1/orders", json=body, headers=new_key())
    assert codes(refused(answer, 422, "CURRENCY_MISMATCH")) == [(pointer, "CURRENCY_MISMATCH")]


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"lines": []}, "#/lines"),
        ({"lines": [line()] * 501}, "#/lines"),
        ({"lines": [line(quantity=0)]}, "#/lines/0/quantity"),
        ({"lines": [line(quantity=10**9 + 1)]}, "#/lines/0/quantity"),
        ({"lines": [line(product="")]}, "#/lines/0/product"),
        ({"lines": [line(unit_price=cny("1.005"))]}, "#/lines/0/unit_price"),
        ({"customer_id": "Harbour"}, "#/customer_id"),
    ],
)
async def test_what_is_out_of_bounds_is_pointed_at(
    admin: httpx.AsyncClient, said: Body, pointer: str
) -> None:
    body = {"customer_id": str(HARBOUR_LTD), "lines": [line()]} | said
    answer = await admin.post("/v1/orders", json=body, headers=new_key())
    assert [place for place, _ in codes(refused(answer, 422, "VALIDATION_FAILED"))] == [pointer]


@pytest.mark.parametrize(
    "said",
    [
        {"lines": [line(unit_price=cny("-1.00"))]},
        {"lines": [line(quantity=10**9, unit_price=cny("90000000000.00"))]},
        {"product_cost": cny("-1.00")},
    ],
)
async def test_amounts_are_neither_negative_nor_astronomic(admin: httpx.AsyncClient, said: Body) -> None:
    body = {"customer_id": str(HARBOUR_LTD), "lines": [line()]} | said
    refused(await admin.post("/v1/orders", json=body, headers=new_key()), 422, "AMOUNT_INVALID")
