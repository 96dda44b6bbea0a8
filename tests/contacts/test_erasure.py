"""After an erasure nothing personal is left: not in a table, an answer, the feed or a line of the log."""

import logging
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from kernel.storage.database import Connection
from kernel.testing.fixtures import new_key

from tests.contacts.examples import HUAXIA
from tests.contacts.requests import register, send
from tests.support.requests import code_of

PERSONAL = ("name", "email", "phone", "address", "note")


class Planted:
    """A contact whose every personal field, old and new, holds a word that is found nowhere else."""

    def __init__(self) -> None:
        self.words = [f"canary{uuid4().hex}" for _ in range(10)]
        self.before, self.after = self._profile(self.words[:5]), self._profile(self.words[5:])

    def _profile(self, words: list[str]) -> dict[str, Any]:
        name, email, phone, address, note = words
        said = {"name": name, "email": f"{email}@huaxia.example", "phone": phone, "address": address}
        return {**said, "note": note, "source": "referral"}

    def in_(self, text: str) -> list[str]:
        low = text.lower()
        return [w for w in self.words if w in low or w.encode().hex() in low]


@pytest.fixture
async def database(url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    yield connection
    await connection.close()


async def dump(database: Connection) -> dict[str, str]:
    """Every column of every row of every table, as text."""
    names = await database.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return {
        row["tablename"]: "\n".join(
            found[0] for found in await database.fetch(f'SELECT t::text FROM "{row["tablename"]}" AS t')
        )
        for row in names
    }


async def feed(client: httpx.AsyncClient) -> str:
    pages: list[str] = []
    link = "/v1/feed?limit=5000"
    while not pages or pages[-1] != "[]":
        answer = await client.get(link)
        assert answer.status_code == 200, answer.text
        pages.append(answer.text)
        link = answer.headers["Link"].split(">")[0].lstrip("<")
    return "".join(pages)


@pytest.fixture
async def planted(admin: httpx.AsyncClient) -> tuple[Planted, str]:
    words = Planted()
    made = await register(admin, **words.before)
    answer = await send(admin, "contacts.correct", made["id"], words.after, {"If-Match": '"v1"'})
    assert answer.status_code == 200
    return words, made["id"]


async def test_no_word_of_an_erased_person_is_left(
    admin: httpx.AsyncClient,
    database: Connection,
    planted: tuple[Planted, str],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    words, contact = planted
    caplog.set_level(logging.DEBUG)
    # Our own client's lines name the addresses that it asks for.
    caplog.set_level(logging.WARNING, logger="httpx")
    held = await dump(database)
    assert {name for name, text in held.items() if words.in_(text)} == {"contact_directory_1"}
    assert words.in_(await feed(admin)) == []
    taken = await send(admin, "contacts.register", body={**words.after, "phone": "x" * 60})
    doubled = await send(admin, "contacts.register", body=words.after)
    stale = await send(admin, "contacts.correct", contact, words.before, {"If-Match": '"v1"'})
    assert [code_of(refused)[0] for refused in (taken, doubled, stale)] == [422, 409, 412]
    for refused in (taken, doubled, stale):
        assert words.in_(refused.text) == []

    erased = await send(admin, "contacts.erase", contact)
    assert erased.json() == {"id": contact, "version": 3, "erased": True}

    left = await dump(database)
    assert set(left) == set(held)
    assert {name: found for name, text in left.items() if (found := words.in_(text))} == {}
    assert words.in_(await feed(admin)) == []
    for path in ("", "/timeline"):
        assert words.in_((await admin.get(f"/v1/contacts/{contact}{path}")).text) == []
    printed = capfd.readouterr()
    assert words.in_(printed.out + printed.err + caplog.text) == []


async def test_the_record_stays_without_anything_personal(
    admin: httpx.AsyncClient, planted: tuple[Planted, str]
) -> None:
    _, contact = planted
    await send(admin, "contacts.erase", contact)
    record = (await admin.get(f"/v1/contacts/{contact}")).json()
    assert {name: record[name] for name in PERSONAL} == dict.fromkeys(PERSONAL)
    assert (record["erased"], record["source"], record["version"]) == (True, "referral", 3)
    timeline = (await admin.get(f"/v1/contacts/{contact}/timeline")).json()["items"]
    assert [entry["type"] for entry in timeline] == [
        "ContactRegistered",
        "ContactCorrected",
        "PersonErased",
    ]
    kept = [entry["data"] for entry in timeline]
    assert not [data for data in kept if any(data.get(name) for name in PERSONAL)]
    assert kept[2] == {"reason": "requested"}


async def test_the_directory_keeps_a_blank_row(
    admin: httpx.AsyncClient, planted: tuple[Planted, str]
) -> None:
    words, contact = planted
    company = str(uuid4())
    await send(admin, "contacts.link", contact, {"company_id": company})
    await send(admin, "contacts.erase", contact)
    listed = await admin.get("/v1/contacts", params={"company_id": company})
    assert listed.json()["items"] == []
    (row,) = (await admin.get("/v1/contacts", params={"company_id": company, "erased": "true"})).json()[
        "items"
    ]
    assert (row["id"], row["erased"], row["etag"]) == (contact, True, '"v4"')
    assert (row["name"], row["email"], row["phone"]) == (None, None, None)
    for word in words.words:
        found = await admin.get("/v1/contacts", params={"q": word, "erased": "true"})
        assert found.json()["items"] == []


async def test_the_key_is_gone_and_the_log_stays_sealed(
    admin: httpx.AsyncClient, database: Connection, planted: tuple[Planted, str]
) -> None:
    _, contact = planted
    sealed = "SELECT version, personal::text FROM events WHERE stream_id = $1 AND personal IS NOT NULL"
    keys = "SELECT wrapped_key, shredded_at FROM person_keys WHERE person_id = $1"
    before = await database.fetch(sealed, contact)
    assert len(before) == 2
    assert (await database.fetchrow(keys, contact))["wrapped_key"] is not None
    await send(admin, "contacts.erase", contact)
    assert await database.fetch(sealed, contact) == before
    key = await database.fetchrow(keys, contact)
    assert key["wrapped_key"] is None
    assert key["shredded_at"] is not None


async def test_the_email_is_free_again(
    admin: httpx.AsyncClient, database: Connection, planted: tuple[Planted, str]
) -> None:
    words, contact = planted
    holds = "SELECT count(*) FROM unique_values WHERE stream_id = $1"
    assert await database.fetchval(holds, contact) == 1
    await send(admin, "contacts.erase", contact)
    assert await database.fetchval(holds, contact) == 0
    await register(admin, name="Someone Else", email=words.after["email"].upper())


async def test_nothing_personal_is_written_of_them_again(
    admin: httpx.AsyncClient, planted: tuple[Planted, str]
) -> None:
    words, contact = planted
    await send(admin, "contacts.erase", contact)
    corrected = await send(admin, "contacts.correct", contact, words.after, {"If-Match": '"v3"'})
    assert code_of(corrected) == (409, "PERSON_ERASED")
    registered = await send(admin, "contacts.register", body={**words.after, "id": contact})
    assert code_of(registered) == (409, "PERSON_ERASED")
    assert words.in_(corrected.text + registered.text) == []


async def test_what_names_only_the_id_is_still_served(
    admin: httpx.AsyncClient, planted: tuple[Planted, str]
) -> None:
    _, contact = planted
    await send(admin, "contacts.erase", contact)
    linked = await send(admin, "contacts.link", contact, {"company_id": str(HUAXIA)})
    assert (linked.status_code, linked.json()["name"]) == (200, None)
    again = await send(admin, "contacts.erase", contact, {"reason": "once_more"})
    assert (again.status_code, again.json()["version"]) == (200, 4)


async def test_a_repeat_of_what_came_before_says_nothing_personal(admin: httpx.AsyncClient) -> None:
    words, key = Planted(), new_key()
    first = await send(admin, "contacts.register", body=words.before, headers=key)
    await send(admin, "contacts.erase", first.json()["id"])
    again = await send(admin, "contacts.register", body=words.before, headers=key)
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (201, "true")
    assert words.in_(again.text) == []


async def test_who_is_registered_and_erased_at_once_leaves_nothing(
    admin: httpx.AsyncClient, database: Connection
) -> None:
    words, contact = Planted(), str(uuid4())
    items = [
        ("contacts.register", words.before, {}),
        ("contacts.correct", words.after, {"if_match": '"v1"'}),
        ("contacts.erase", {"reason": "requested"}, {}),
    ]
    batch = [
        {"command": name, "id": contact, "idempotency_key": f"item-{uuid4()}", "data": data, **more}
        for name, data, more in items
    ]
    answer = await admin.post("/v1/batch", json={"items": batch})
    assert [result["status"] for result in answer.json()["items"]] == [201, 200, 200]
    assert {name: found for name, text in (await dump(database)).items() if (found := words.in_(text))} == {}
    assert words.in_((await admin.get(f"/v1/contacts/{contact}/timeline")).text) == []


async def test_others_are_told_by_id_alone(admin: httpx.AsyncClient, planted: tuple[Planted, str]) -> None:
    _, contact = planted
    await send(admin, "contacts.erase", contact)
    answer = await admin.get("/v1/feed", params={"types": "crm.contacts.person-erased.v1", "limit": 5000})
    told = [record for record in answer.json() if record["subject"] == contact]
    assert [record["data"] for record in told] == [{"person_id": contact}]
