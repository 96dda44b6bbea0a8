"""What every operation of the desk has in common with those of the other services, and who may send it."""

import httpx
import pytest
from kernel.testing.fixtures import api
from kernel.web.app import App
from service_desk.policy.decider import REPLY_POLICY_ID

from tests.service_desk.examples import ADA, LINUS
from tests.service_desk.requests import OURS, record_for, send
from tests.support.manners import Manners
from tests.support.refusals import Refusals
from tests.support.requests import code_of

CHANGING = OURS.changing


class TestManners(Manners):
    """Nothing is hidden: the whole desk works on every complaint, and others only read."""

    requests = OURS
    timed = (*OURS.creating, *CHANGING)


class TestRefusals(Refusals):
    requests = OURS
    impossible = (["complaints.resolve"], "complaints.assign", "COMPLAINT_NOT_OPEN")
    changes = "complaints.assign"


@pytest.mark.parametrize("name", [*CHANGING, "reply-policy.define"])
async def test_sales_pass_complaints_on_and_do_nothing_else(
    app: App, admin: httpx.AsyncClient, name: str
) -> None:
    record = await record_for(admin, name)
    async with api(app, "sales_rep", "sales_manager", subject=ADA, teams=["desk"]) as sales:
        assert code_of(await send(sales, name, record)) == (403, "FORBIDDEN")
        assert (await send(sales, "complaints.register")).status_code == 201


@pytest.mark.parametrize("name", CHANGING)
async def test_the_desk_works_on_every_complaint(app: App, admin: httpx.AsyncClient, name: str) -> None:
    record = await record_for(admin, name)
    async with api(app, "service_agent", subject=LINUS) as agent:
        assert (await send(agent, name, record)).status_code == 200


async def test_an_agent_keeps_the_promise_and_does_not_make_it(app: App) -> None:
    async with api(app, "service_agent") as agent:
        assert code_of(await send(agent, "reply-policy.define")) == (403, "FORBIDDEN")
    async with api(app, "service_manager") as manager:
        assert (await send(manager, "reply-policy.define")).status_code == 200


@pytest.mark.parametrize("name", CHANGING)
async def test_what_is_no_complaint_is_not_found(admin: httpx.AsyncClient, name: str) -> None:
    for headers in ({}, {"If-Match": '"v1"'}):
        answer = await send(admin, name, REPLY_POLICY_ID, headers=headers)
        assert code_of(answer) == (404, "NOT_FOUND")
