"""The pipeline of deals, read through its list."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from kernel.domain.ids import new_id
from opportunities.opportunity.aggregate import opportunity

from tests.opportunities.calls import CNY_500, SEVEN, Body, ask, create, define_seven_stages, listed, put
from tests.opportunities.examples import ADA
from tests.opportunities.replay import kept, replayed


@pytest.fixture(scope="module")
async def client(admin: httpx.AsyncClient) -> httpx.AsyncClient:
    await define_seven_stages(admin)
    return admin


@pytest.fixture
def customer_id() -> str:
    """A customer of one test alone, so that its list holds no other's deals."""
    return str(new_id())


async def shown(client: httpx.AsyncClient, deal: Body) -> Body:
    items = await listed(client, "/v1/opportunities", customer_id=deal["customer_id"])
    return next(item for item in items if item["id"] == deal["id"])


async def test_a_deal_is_shown_with_what_a_pipeline_screen_needs(
    client: httpx.AsyncClient, customer_id: str
) -> None:
    said = {
        "customer_id": customer_id,
        "person_id": str(new_id()),
        "title": "Pumps 水泵",
        "source": "fair",
        "product": "pump",
        "owner_id": str(ADA),
        "owner_team": "north",
        "amount": CNY_500,
        "currency": "CNY",
        "expected_close": "2026-03-20",
    }
    deal = await create(client, **said)
    item = await shown(client, deal)
    assert item == said | {
        "id": deal["id"],
        "etag": '"v2"',
        "status": "open",
        "pipeline_id": SEVEN,
        "stage_id": "prospecting",
        "stage_order": 0,
        "pipeline_version": 1,
        "stage_entered_at": deal["created_at"],
        "created_at": deal["created_at"],
        "updated_at": item["updated_at"],
    }


async def test_every_command_shows_in_the_list(client: httpx.AsyncClient, customer_id: str) -> None:
    deal = await create(client, customer_id=customer_id)
    deal = await ask(client, deal, "enter-stage", stage_id="close", occurred_at="2026-01-06T09:00:00Z")
    item = await shown(client, deal)
    assert (item["stage_id"], item["stage_order"]) == ("close", 5)
    assert item["stage_entered_at"] == "2026-01-06T09:00:00Z"
    deal = await put(client, deal, "amount", amount=None)
    deal = await put(client, deal, "expected-close", expected_close="2026-09-30")
    deal = await put(client, deal, "owner", owner_id=str(ADA), owner_team="north")
    item = await shown(client, deal)
    assert (item["amount"], item["expected_close"], item["owner_id"]) == (None, "2026-09-30", str(ADA))
    for what, said, status in (
        ("lose", {"reason": "price"}, "lost"),
        ("reopen", {}, "open"),
        ("win", {"amount": CNY_500}, "won"),
    ):
        deal = await ask(client, deal, what, **said)
        assert (await shown(client, deal))["status"] == status
    assert (await shown(client, deal))["etag"] == f'"v{deal["version"]}"'


async def test_voiding_the_last_entry_puts_a_deal_back_where_it_was(
    client: httpx.AsyncClient, customer_id: str
) -> None:
    deal = await create(client, customer_id=customer_id)
    before = await shown(client, deal)
    await ask(client, deal, "enter-stage", stage_id="proposal")
    await ask(client, deal, "enter-stage", stage_id="close")
    await ask(client, deal, "void-stage-entry", entry=2)
    assert (await shown(client, deal))["stage_id"] == "close"
    await ask(client, deal, "void-stage-entry", entry=3)
    after = await shown(client, deal)
    assert after == before | {"etag": after["etag"], "updated_at": after["updated_at"]}


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"status": "won"}, {}),
        ({"stage_id": "close"}, {"stage_id": "close"}),
        ({"pipeline_id": SEVEN, "stage_id": "close"}, {"stage_id": "close"}),
        ({"owner_id": str(ADA)}, {"owner_id": str(ADA), "owner_team": "north"}),
        ({"source": "fair"}, {"source": "fair"}),
    ],
)
async def test_a_filter_finds_the_deals_that_fit(
    client: httpx.AsyncClient, customer_id: str, query: dict[str, str], said: dict[str, Any]
) -> None:
    wanted = await create(client, customer_id=customer_id, **said)
    await ask(client, wanted, "win")
    await create(client, customer_id=customer_id, source="phone", stage_id="proposal")
    items = await listed(client, "/v1/opportunities", customer_id=customer_id, **query)
    assert [item["id"] for item in items] == [wanted["id"]]


async def test_deals_of_no_known_day_come_after_every_day(
    client: httpx.AsyncClient, customer_id: str
) -> None:
    days = ["2026-03-20", None, "9999-12-31", "2025-12-31"]
    for expected in days:
        await create(client, customer_id=customer_id, expected_close=expected)
    found: list[str | None] = []
    query: dict[str, Any] = {"customer_id": customer_id, "sort": "expected_close", "limit": 1}
    for _ in days:
        page = (await client.get("/v1/opportunities", params=query)).json()
        found += [item["expected_close"] for item in page["items"]]
        query["cursor"] = page["next_cursor"]
    assert found == ["2025-12-31", "2026-03-20", "9999-12-31", None]
    assert query["cursor"] is None


async def test_a_replay_of_the_log_gives_the_same_row(app: FastAPI, client: httpx.AsyncClient) -> None:
    deal = await create(client, expected_close="2026-03-20", occurred_at="2026-01-05T09:00:00+08:00")
    await ask(client, deal, "enter-stage", stage_id="close", occurred_at="2026-01-06T09:00:00+08:00")
    deal = await ask(client, deal, "void-stage-entry", entry=1)
    deal = await put(client, deal, "owner", owner_id=str(ADA), owner_team="north")
    await ask(client, deal, "win", amount={"amount": "750.00", "currency": "CNY"})
    assert await replayed(app, opportunity, deal["id"]) == await kept(app, opportunity, deal["id"])
