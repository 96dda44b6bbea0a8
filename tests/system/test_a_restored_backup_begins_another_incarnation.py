"""A database goes back to its backup: what was told since is gone everywhere, what is told now counts, once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from kernel.domain.ids import new_id
from kernel.runtime.embedded import EmbeddedPostgres
from kernel.testing.servers import temporary_folder

from tests.system.asking import seen, settle
from tests.system.counting import expected
from tests.system.ledger import keeps_each_command_once
from tests.system.running import NAMES, System, eventually
from tests.system.sending import send
from tests.system.story import Story

pytestmark = pytest.mark.timeout(600)
NAME = "Wanderfeather"
LINE = {"product": "pump", "quantity": 1, "unit_price": {"amount": "5.00", "currency": "CNY"}}


@pytest.fixture(scope="module")
def company(mortal_postgres: EmbeddedPostgres) -> Iterator[System]:
    with temporary_folder() as folder, System(Path(folder), mortal_postgres) as running:
        yield running


def test_a_restored_backup_begins_another_incarnation(company: System) -> None:
    story = Story()
    send(company, story.rules)
    send(company, story.first)
    with stopped(company, "opportunities"):
        backup(company, "opportunities")
    send(company, story.second)
    settle(company)
    assert seen(company) == expected(story.everything)
    reported = figures_as_of(company, position_of(company) - 1)

    with stopped(company, "opportunities"):
        restore(company, "opportunities")
        assert company.crm("restored", "opportunities", name="opportunities").returncode == 0
    lost = [told for told in story.second if told.service == "opportunities"]
    left = [told for told in story.everything if told not in lost]
    keeps_each_command_once(company, left)
    eventually(lambda: withdrawn(company) == 1, "analytics has heard of the other history")
    settle(company)
    assert seen(company) == expected(left)
    assert figures_as_of(company, reported["as_of_position"]) == reported

    send(company, lost)
    settle(company)
    assert seen(company) == expected(story.everything)
    keeps_each_command_once(company, story.everything)
    assert company.findings(["opportunities", "analytics"]) == []


def test_an_answer_as_of_the_newest_position_stays_as_it_was(company: System) -> None:
    with stopped(company, "opportunities"):
        backup(company, "opportunities")
    company.post("opportunities", "/v1/orders", {"customer_id": str(new_id()), "lines": [LINE]})
    settle(company)
    reported, before = figures_as_of(company, position_of(company)), withdrawn(company)
    with stopped(company, "opportunities"):
        restore(company, "opportunities")
        assert company.crm("restored", "opportunities", name="opportunities").returncode == 0
    eventually(lambda: withdrawn(company) > before, "analytics has heard of the other history", patience=30)
    assert figures_as_of(company, reported["as_of_position"]) == reported


def test_an_erased_person_stays_erased_in_a_restored_database(company: System) -> None:
    person = new_id()
    company.post("contacts", "/v1/contacts", {"id": str(person), "name": NAME})
    with stopped(company, "contacts"):
        backup(company, "contacts")
    assert NAME in company.dump("contacts")
    company.post("contacts", f"/v1/contacts/{person}/erase", {"reason": "requested"})
    eventually(lambda: str(person) in erased(company), "the erasure is kept outside the database")

    company.stop(["contacts"])
    restore(company, "contacts")
    company.launch(["contacts"])
    eventually(
        lambda: "are back" in readiness(company, "contacts"), "nobody is served while a person is back"
    )
    company.stop(["contacts"])
    assert "1 persons were erased again" in company.crm("restored", "contacts", name="contacts").stdout
    company.start(["contacts"])

    assert company.get("contacts", f"/v1/contacts/{person}")["name"] is None
    assert [name for name in NAMES if NAME in company.dump(name)] == []
    assert company.findings(["contacts"]) == []


class stopped:
    """Nobody has the database of this service; afterwards it is served again."""

    def __init__(self, system: System, name: str) -> None:
        self.system, self.name = system, name

    def __enter__(self) -> None:
        self.system.stop([self.name])

    def __exit__(self, *_: object) -> None:
        self.system.start([self.name])


def backup(system: System, name: str) -> None:
    system.postgres.create_database(f"{system.databases[name]}_backup", system.databases[name])


def restore(system: System, name: str) -> None:
    system.postgres.drop_database(system.databases[name])
    system.postgres.create_database(system.databases[name], f"{system.databases[name]}_backup")
    system.postgres.drop_database(f"{system.databases[name]}_backup")


def position_of(system: System) -> int:
    return int(system.get("analytics", "/v1/freshness")["as_of_position"])


def figures_as_of(system: System, position: int) -> dict[str, Any]:
    """What was reported at a position; parked and times are of now."""
    answer = system.get("analytics", "/v1/retention", as_of_position=position)
    return {key: answer[key] for key in ("as_of_position", "cohorts", "shares")}


def withdrawn(system: System) -> int:
    return int(system.rows("analytics", "SELECT count(*) FROM withdrawn")[0][0])


def erased(system: System) -> str:
    file = system.local.folder / "erased-contacts.txt"
    return file.read_text() if file.exists() else ""


def readiness(system: System, name: str) -> str:
    try:
        return system.http.get(f"{system.urls[name]}/readyz").text
    except httpx.TransportError:
        return ""
