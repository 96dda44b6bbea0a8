"""Erasing a contact person takes their words out of deals and leaves the figures."""

from collections.abc import Iterable
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from kernel.domain.ids import new_id
from kernel.storage.aggregate import Intent, Step
from kernel.storage.persons import ForgetPerson, person
from kernel.testing.fixtures import new_key
from opportunities.opportunity.aggregate import opportunity

from tests.opportunities.calls import CNY_500, SEVEN, Body, ask, create, define_seven_stages, listed, refused
from tests.opportunities.replay import kept, replayed


@pytest.fixture(scope="module")
async def client(admin: httpx.AsyncClient) -> httpx.AsyncClient:
    await define_seven_stages(admin)
    return admin


@pytest.fixture
async def mei() -> str:
    return str(new_id())


async def forget(app: FastAPI, person_id: str) -> None:
    """What the worker does when contacts says that a person was erased."""
    command_id = new_id()
    await app.state.node.committer.submit(
        Intent(
            steps=(Step(person, UUID(person_id), ForgetPerson()),),
            actor="service:contacts",
            key=f"forget:{command_id}",
            fingerprint=b"",
            command_id=command_id,
            correlation_id=str(command_id),
        )
    )


def words(facts: Iterable[Body]) -> list[str | None]:
    return [fact["data"].get(name) for fact in facts for name in ("title", "note")]


async def test_the_words_about_an_erased_person_are_gone_everywhere(
    app: FastAPI, client: httpx.AsyncClient, mei: str
) -> None:
    customer_id = str(new_id())
    deal = await create(client, person_id=mei, customer_id=customer_id, title="Pumps for Mei Lin")
    deal = await ask(client, deal, "lose", reason="price", note="Mei found it dear.")
    path = f"/v1/opportunities/{deal['id']}"
    assert "Pumps for Mei Lin" in words((await client.get(f"{path}/timeline")).json()["items"])

    await forget(app, mei)

    read = (await client.get(path)).json()
    assert read == deal | {"title": None, "outcome": deal["outcome"] | {"note": None}}
    [item] = await listed(client, "/v1/opportunities", customer_id=customer_id)
    assert (item["title"], item["amount"], item["status"]) == (None, CNY_500, "lost")
    timeline = (await client.get(f"{path}/timeline")).json()["items"]
    assert set(words(timeline)) == {None}
    assert len(timeline) == deal["version"]


async def test_a_repeated_request_does_not_bring_the_words_back(
    app: FastAPI, client: httpx.AsyncClient, mei: str
) -> None:
    body, key = {"pipeline_id": SEVEN, "person_id": mei, "title": "For Mei", "currency": "CNY"}, new_key()
    assert (await client.post("/v1/opportunities", json=body, headers=key)).json()["title"] == "For Mei"
    await forget(app, mei)
    again = await client.post("/v1/opportunities", json=body, headers=key)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json()["title"] is None


async def test_a_deal_goes_on_without_its_erased_person_but_hears_nothing_more_about_them(
    app: FastAPI, client: httpx.AsyncClient, mei: str
) -> None:
    deal = await create(client, person_id=mei)
    await forget(app, mei)
    body = {"reason": "price", "note": "Mei found it dear."}
    refused(await client.post(f"/v1/opportunities/{deal['id']}/lose", json=body), 409, "PERSON_ERASED")
    assert (await ask(client, deal, "lose", reason="price"))["status"] == "lost"
    row = await kept(app, opportunity, deal["id"])
    assert row is not None
    assert (row["title"], row["status"]) == (None, "lost")
    assert await replayed(app, opportunity, deal["id"]) == row


async def test_no_new_deal_is_about_an_erased_person(
    app: FastAPI, client: httpx.AsyncClient, mei: str
) -> None:
    await forget(app, mei)
    body = {"pipeline_id": SEVEN, "person_id": mei, "title": "For Mei", "currency": "CNY"}
    refused(await client.post("/v1/opportunities", json=body, headers=new_key()), 409, "PERSON_ERASED")


async def test_the_deals_of_others_keep_their_words(
    app: FastAPI, client: httpx.AsyncClient, mei: str
) -> None:
    of_another, of_nobody = await create(client, person_id=str(new_id())), await create(client)
    await create(client, person_id=mei)
    await forget(app, mei)
    for deal in (of_another, of_nobody):
        assert (await client.get(f"/v1/opportunities/{deal['id']}")).json() == deal
        row = await kept(app, opportunity, deal["id"])
        assert row is not None
        assert row["title"] == "Pumps for Mei Lin"
