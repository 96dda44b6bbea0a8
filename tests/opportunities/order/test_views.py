"""The list of orders."""

from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from kernel.domain.ids import new_id
from opportunities.order.aggregate import order

from tests.opportunities.calls import done, listed, place
from tests.opportunities.replay import kept, replayed


@pytest.fixture
def customer_id() -> str:
    return str(new_id())


async def test_the_list_shows_whose_an_order_is_how_much_and_whether_it_stands(
    admin: httpx.AsyncClient, customer_id: str
) -> None:
    made = await place(admin, customer_id=customer_id)
    done(await admin.post(f"/v1/orders/{made['id']}/cancel", json={"reason": "late"}))
    [item] = await listed(admin, "/v1/orders", customer_id=customer_id)
    assert (item["id"], item["etag"], item["status"]) == (made["id"], '"v2"', "cancelled")
    assert item["total"] == {"amount": "500.00", "currency": "CNY"}
    assert item["created_at"] == made["created_at"] < item["updated_at"]


@pytest.mark.parametrize("name", ["customer_id", "opportunity_id", "owner_id"])
async def test_a_filter_finds_the_orders_of_one(admin: httpx.AsyncClient, name: str) -> None:
    wanted = str(new_id())
    made = await place(admin, **{name: wanted})
    await place(admin)
    assert [item["id"] for item in await listed(admin, "/v1/orders", **{name: wanted})] == [made["id"]]


async def test_the_list_tells_placed_from_cancelled(admin: httpx.AsyncClient, customer_id: str) -> None:
    made, gone = [await place(admin, customer_id=customer_id) for _ in range(2)]
    done(await admin.post(f"/v1/orders/{gone['id']}/cancel", json={"reason": "late"}))
    for status, one in (("placed", made), ("cancelled", gone)):
        items = await listed(admin, "/v1/orders", customer_id=customer_id, status=status)
        assert [item["id"] for item in items] == [one["id"]]


async def test_the_list_is_sorted_by_when_orders_were_placed(
    admin: httpx.AsyncClient, customer_id: str
) -> None:
    days = ("2026-01-06T09:00:00Z", "2026-01-05T09:00:00Z")
    late, early = [await place(admin, customer_id=customer_id, occurred_at=day) for day in days]
    for sort, wanted in (
        ("-created_at", [late, early]),
        ("created_at", [early, late]),
        ("updated_at", [late, early]),
    ):
        items = await listed(admin, "/v1/orders", customer_id=customer_id, sort=sort)
        assert [item["id"] for item in items] == [order["id"] for order in wanted]


async def test_a_replay_of_the_log_gives_the_same_row(app: FastAPI, admin: httpx.AsyncClient) -> None:
    made = await place(admin)
    done(await admin.post(f"/v1/orders/{made['id']}/cancel", json={"reason": "late"}))
    row = await kept(app, order, made["id"])
    assert row is not None
    assert row["id"] == UUID(made["id"])
    assert await replayed(app, order, made["id"]) == row
