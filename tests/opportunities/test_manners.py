"""What every operation of opportunities has in common with those of the other services, and who may send it."""

from datetime import UTC, datetime

import httpx
import pytest
from fastapi import FastAPI
from kernel.domain.ids import new_id
from kernel.testing.fixtures import api
from opportunities.order.api import Placement

from tests.opportunities.calls import ask, create, define_seven_stages
from tests.opportunities.examples import ADA
from tests.opportunities.requests import OURS, example, record_for, send
from tests.support.hiding import ManneredAndHiding
from tests.support.refusals import Refusals
from tests.support.requests import UNKNOWN, code_of

PIPELINES = [name for name in OURS.operations if name.startswith("pipelines.")]
OWNED = tuple(name for name in OURS.changing if name not in PIPELINES)


@pytest.fixture(scope="module", autouse=True)
async def pipeline(admin: httpx.AsyncClient) -> None:
    await define_seven_stages(admin)


class TestManners(ManneredAndHiding):
    requests = OURS
    colleague = ADA
    owned = OWNED
    timed = tuple(OURS.operations)


class TestRefusals(Refusals):
    requests = OURS
    impossible = (["opportunities.lose"], "opportunities.win", "OPPORTUNITY_CLOSED")
    changes = "orders.cancel"


@pytest.mark.parametrize("name", PIPELINES)
async def test_a_rep_does_not_change_pipelines(app: FastAPI, name: str) -> None:
    async with api(app, "sales_rep", subject=ADA) as rep:
        assert code_of(await send(rep, name, UNKNOWN)) == (403, "FORBIDDEN")


@pytest.mark.parametrize("name", OWNED)
async def test_a_manager_commands_what_their_team_owns(
    app: FastAPI, admin: httpx.AsyncClient, name: str
) -> None:
    theirs = await record_for(admin, name)
    async with api(app, "sales_manager", teams=["south"]) as manager:
        assert (await send(manager, name, theirs)).status_code == 200


async def test_a_visit_told_later_keeps_its_day(admin: httpx.AsyncClient) -> None:
    deal = await create(admin, occurred_at="2026-01-05T09:00:00+08:00")
    deal = await ask(admin, deal, "enter-stage", stage_id="close", occurred_at="2026-01-06T09:00:00+08:00")
    days = [datetime.fromisoformat(entry["entered_at"]) for entry in deal["stage_entries"]]
    assert days == [datetime(2026, 1, 5, 1, tzinfo=UTC), datetime(2026, 1, 6, 1, tzinfo=UTC)]
    facts = (await admin.get(f"/v1/opportunities/{deal['id']}/timeline")).json()["items"]
    assert facts[-1]["occurred_at"] == "2026-01-06T01:00:00Z" < facts[-1]["recorded_at"]


async def test_the_items_of_a_batch_are_independent(admin: httpx.AsyncClient) -> None:
    deal = await create(admin)
    said = [
        ("opportunities.create", None, {"pipeline_id": str(new_id()), "title": "Lost", "currency": "CNY"}),
        ("opportunities.enter-stage", deal["id"], {"stage_id": "proposal"}),
        ("opportunities.enter-stage", deal["id"], {"stage_id": "dream"}),
        ("opportunities.change-amount", deal["id"], {"amount": None}),
        ("opportunities.win", deal["id"], {"amount": {"amount": "-", "currency": "CNY"}}),
        ("opportunities.win", deal["id"], {}),
        ("orders.place", None, example(Placement)),
        ("orders.fulfil", None, {}),
    ]
    items = [
        {"command": command, "id": id, "data": data, "idempotency_key": f"batch-{new_id()}"}
        for command, id, data in said
    ]
    answer = await admin.post("/v1/batch", json={"items": items})
    assert answer.status_code == 207
    results = answer.json()["items"]
    assert [(r["status"], (r["problem"] or {}).get("code")) for r in results] == [
        (404, "PIPELINE_NOT_FOUND"),
        (200, None),
        (422, "STAGE_UNKNOWN"),
        (428, "IF_MATCH_REQUIRED"),
        (422, "VALIDATION_FAILED"),
        (200, None),
        (201, None),
        (422, "VALIDATION_FAILED"),
    ]
    assert answer.json()["summary"] == {"succeeded": 3, "failed": 5}
    assert (await admin.get(f"/v1/opportunities/{deal['id']}")).json()["status"] == "won"
