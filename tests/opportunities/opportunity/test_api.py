"""Deals as clients meet them, from the first stage to the last."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from kernel.domain.ids import new_id
from kernel.testing.fixtures import api, new_key

from tests.opportunities.calls import (
    CNY_500,
    SEVEN,
    Body,
    ask,
    codes,
    create,
    define,
    define_seven_stages,
    done,
    put,
    refused,
)
from tests.opportunities.examples import ADA, GRACE, HARBOUR_LTD, MEI


@pytest.fixture(scope="module")
async def client(admin: httpx.AsyncClient) -> httpx.AsyncClient:
    await define_seven_stages(admin)
    return admin


async def refuse(
    client: httpx.AsyncClient, deal: Body, what: str, status: int, code: str, **said: Any
) -> None:
    refused(await client.post(f"/v1/opportunities/{deal['id']}/{what}", json=said), status, code)


async def test_a_deal_begins_in_the_first_stage_of_its_pipeline(client: httpx.AsyncClient) -> None:
    said = {
        "customer_id": str(HARBOUR_LTD),
        "person_id": str(MEI),
        "title": "Pumps for Mei Lin 水泵",
        "source": "trade fair",
        "product": "pump",
        "owner_id": str(ADA),
        "owner_team": "north",
        "amount": CNY_500,
        "currency": "CNY",
        "expected_close": "2026-03-20",
    }
    deal = await create(client, **said)
    begun = {
        "entry": 1,
        "stage_id": "prospecting",
        "stage_order": 0,
        "pipeline_version": 1,
        "entered_at": deal["created_at"],
        "voided": False,
    }
    assert deal == said | {
        "id": deal["id"],
        "version": 2,
        "status": "open",
        "attempt": 1,
        "pipeline_id": SEVEN,
        "stage_id": "prospecting",
        "stage_entries": [begun],
        "outcome": None,
        "created_at": deal["created_at"],
    }


async def test_a_deal_may_begin_later_in_the_pipeline(client: httpx.AsyncClient) -> None:
    assert (await create(client, stage_id="proposal"))["stage_entries"][0]["stage_order"] == 3


async def test_a_deal_needs_a_pipeline_and_one_of_its_stages(client: httpx.AsyncClient) -> None:
    body = {"pipeline_id": str(new_id()), "title": "Pumps", "currency": "CNY"}
    answer = await client.post("/v1/opportunities", json=body, headers=new_key())
    refused(answer, 404, "PIPELINE_NOT_FOUND")
    body = {"pipeline_id": SEVEN, "stage_id": "dream", "title": "Pumps", "currency": "CNY"}
    refused(await client.post("/v1/opportunities", json=body, headers=new_key()), 422, "STAGE_UNKNOWN")


async def test_an_id_of_ones_own_is_taken_once(client: httpx.AsyncClient) -> None:
    id = str(new_id())
    assert (await create(client, id=id))["id"] == id
    body = {"id": id, "pipeline_id": SEVEN, "title": "Pumps", "currency": "CNY"}
    refused(await client.post("/v1/opportunities", json=body, headers=new_key()), 409, "OPPORTUNITY_EXISTS")


async def test_a_deal_moves_forward_skipping_and_back(client: httpx.AsyncClient) -> None:
    deal = await create(client)
    for stage_id in ("proposal", "first-contact"):
        deal = await ask(client, deal, "enter-stage", stage_id=stage_id)
    entries = [(entry["entry"], entry["stage_id"]) for entry in deal["stage_entries"]]
    assert entries == [(1, "prospecting"), (2, "proposal"), (3, "first-contact")]
    await refuse(client, deal, "enter-stage", 422, "STAGE_UNKNOWN", stage_id="dream")


async def test_a_deal_is_moved_under_the_stages_of_that_day(client: httpx.AsyncClient) -> None:
    pipeline = await define(client)
    deal = await create(client, pipeline_id=pipeline["id"])
    stages = [{"stage_id": "trial", "name": "Trial"}, *pipeline["stages"]]
    path, headers = f"/v1/pipelines/{pipeline['id']}", {"If-Match": '"v1"'}
    done(await client.put(path, json={"stages": stages}, headers=headers))
    deal = await ask(client, deal, "enter-stage", stage_id="talk")
    places = [(entry["pipeline_version"], entry["stage_order"]) for entry in deal["stage_entries"]]
    assert places == [(1, 0), (2, 2)]


async def test_a_wrong_entry_is_voided_by_its_number(client: httpx.AsyncClient) -> None:
    deal = await ask(client, await create(client), "enter-stage", stage_id="close")
    deal = await ask(client, deal, "void-stage-entry", entry=2)
    assert deal["stage_id"] == "prospecting"
    assert [entry["voided"] for entry in deal["stage_entries"]] == [False, True]
    assert await ask(client, deal, "void-stage-entry", entry=2) == deal
    await refuse(client, deal, "void-stage-entry", 409, "STAGE_ENTRY_ONLY", entry=1)
    await refuse(client, deal, "void-stage-entry", 404, "STAGE_ENTRY_NOT_FOUND", entry=3)


async def test_the_amount_changes_on_the_version_that_was_read(client: httpx.AsyncClient) -> None:
    deal = await create(client)
    dearer = await put(client, deal, "amount", amount={"amount": "750.5", "currency": "CNY"})
    assert dearer["amount"] == {"amount": "750.50", "currency": "CNY"}
    headers = {"If-Match": f'"v{deal["version"]}"'}
    path = f"/v1/opportunities/{deal['id']}/amount"
    answer = await client.put(path, json={"amount": CNY_500}, headers=headers)
    assert refused(answer, 412, "STALE")["current_etag"] == '"v3"'
    assert (await put(client, dearer, "amount", amount=None))["amount"] is None


async def test_the_amounts_of_a_deal_are_in_its_currency(client: httpx.AsyncClient) -> None:
    deal, dollars = await create(client), {"amount": "500.00", "currency": "USD"}
    await refuse(client, deal, "win", 422, "CURRENCY_MISMATCH", amount=dollars)
    body = {"pipeline_id": SEVEN, "title": "Pumps", "currency": "CNY", "amount": dollars}
    refused(await client.post("/v1/opportunities", json=body, headers=new_key()), 422, "CURRENCY_MISMATCH")
    await refuse(client, deal, "win", 422, "AMOUNT_INVALID", amount={"amount": "-1", "currency": "CNY"})


async def test_the_expected_close_changes_and_may_be_taken_back(client: httpx.AsyncClient) -> None:
    deal = await put(client, await create(client), "expected-close", expected_close="2026-09-30")
    assert deal["expected_close"] == "2026-09-30"
    assert (await put(client, deal, "expected-close", expected_close=None))["expected_close"] is None


async def test_a_rep_takes_over_an_unassigned_deal_and_hands_it_on(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    deal = await create(client)
    async with api(app, "sales_rep", subject=ADA) as ada:
        deal = await put(ada, deal, "owner", owner_id=str(ADA), owner_team="north")
        assert (deal["owner_id"], deal["owner_team"]) == (str(ADA), "north")
        await put(ada, deal, "owner", owner_id=str(GRACE), owner_team="south")
        refused(await ada.get(f"/v1/opportunities/{deal['id']}"), 404, "NOT_FOUND")
    async with api(app, "sales_rep", subject=GRACE) as grace:
        assert done(await grace.get(f"/v1/opportunities/{deal['id']}"))["owner_id"] == str(GRACE)


async def test_a_deal_is_won_for_the_amount_it_has(client: httpx.AsyncClient) -> None:
    deal = await ask(client, await create(client), "win", occurred_at="2026-01-06T09:00:00Z")
    assert deal["status"] == "won"
    assert deal["outcome"] == {
        "status": "won",
        "attempt": 1,
        "at": "2026-01-06T09:00:00Z",
        "amount": CNY_500,
        "reason": None,
        "note": None,
    }


async def test_a_deal_may_be_won_for_another_amount_but_not_for_none(client: httpx.AsyncClient) -> None:
    deal = await create(client, amount=None)
    await refuse(client, deal, "win", 409, "AMOUNT_MISSING")
    assert (await ask(client, deal, "win", amount=CNY_500))["amount"] == CNY_500


async def test_a_deal_is_lost_for_a_reason(client: httpx.AsyncClient) -> None:
    deal = await ask(client, await create(client), "lose", reason="price", note="A rival was cheaper.\n便宜")
    assert (deal["status"], deal["outcome"]["status"]) == ("lost", "lost")
    assert deal["outcome"]["reason"] == "price"
    assert deal["outcome"]["note"] == "A rival was cheaper.\n便宜"


async def test_a_closed_deal_changes_only_after_it_is_reopened(client: httpx.AsyncClient) -> None:
    lost = await ask(client, await create(client), "lose", reason="price")
    await refuse(client, lost, "enter-stage", 409, "OPPORTUNITY_CLOSED", stage_id="close")
    await refuse(client, lost, "win", 409, "OPPORTUNITY_CLOSED")
    open_ = await ask(client, lost, "reopen")
    assert (open_["status"], open_["attempt"], open_["outcome"]) == ("open", 2, None)
    won = await ask(client, open_, "win")
    assert (won["outcome"]["status"], won["outcome"]["attempt"]) == ("won", 2)


async def test_doing_it_twice_is_doing_it_once(client: httpx.AsyncClient) -> None:
    deal = await create(client)
    for what, said in (
        ("enter-stage", {"stage_id": "close"}),
        ("lose", {"reason": "price"}),
        ("reopen", {}),
        ("win", {}),
    ):
        first = await ask(client, deal, what, **said)
        assert await ask(client, deal, what, **said) == first


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"title": ""}, "#/title"),
        ({"title": "x" * 201}, "#/title"),
        ({"title": "a\tb"}, "#/title"),
        ({"source": "x" * 101}, "#/source"),
        ({"currency": "yuan"}, "#/currency"),
        ({"amount": {"amount": 500, "currency": "CNY"}}, "#/amount/amount"),
        ({"amount": {"amount": "1.005", "currency": "CNY"}}, "#/amount"),
        ({"expected_close": "next week"}, "#/expected_close"),
        ({"pipeline_id": "seven"}, "#/pipeline_id"),
        ({"occurred_at": "2026-01-05T09:00:00"}, "#/occurred_at"),
    ],
)
async def test_what_is_out_of_bounds_is_pointed_at(
    client: httpx.AsyncClient, said: Body, pointer: str
) -> None:
    body = {"pipeline_id": SEVEN, "title": "Pumps", "currency": "CNY"} | said
    answer = await client.post("/v1/opportunities", json=body, headers=new_key())
    assert [place for place, _ in codes(refused(answer, 422, "VALIDATION_FAILED"))] == [pointer]


@pytest.mark.parametrize("note", ["", " \n ", "x" * 2_001, "a\x07b"])
async def test_a_note_is_words_of_bounded_length(client: httpx.AsyncClient, note: str) -> None:
    await refuse(client, await create(client), "lose", 422, "VALIDATION_FAILED", reason="price", note=note)
