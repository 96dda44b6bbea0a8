"""What every operation of contacts has in common with those of the other services, and who may send it."""

import httpx
import pytest
from kernel.testing.fixtures import api
from kernel.web.app import App

from tests.contacts.examples import LINUS
from tests.contacts.requests import OURS, record_for, send
from tests.support.hiding import ManneredAndHiding
from tests.support.refusals import Refusals
from tests.support.requests import code_of


class TestManners(ManneredAndHiding):
    requests = OURS
    strangers = ("analyst", "service_agent")
    colleague = LINUS
    owned = OURS.changing
    timed = tuple(OURS.operations)


class TestRefusals(Refusals):
    requests = OURS
    impossible = (["contacts.erase"], "contacts.correct", "PERSON_ERASED")
    changes = "companies.set-owner"


@pytest.mark.parametrize("name", ["contacts.set-owner", "contacts.erase", "companies.set-owner"])
async def test_what_managers_decide_a_rep_may_not_send(app: App, admin: httpx.AsyncClient, name: str) -> None:
    record = await record_for(admin, name)
    async with api(app, "sales_rep") as rep:
        assert code_of(await send(rep, name, record)) == (403, "FORBIDDEN")
    async with api(app, "sales_manager", teams=["east"]) as manager:
        assert (await send(manager, name, record)).status_code == 200
