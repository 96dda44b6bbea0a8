"""Once contacts tells that a person was erased, no word of theirs is left here: tables, answers, feed, log lines."""

import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from kernel.messaging.forgetting import PERSON_ERASED, Forgetting
from kernel.messaging.records import PublicRecord
from kernel.storage.database import Connection
from kernel.testing.fixtures import new_key

from tests.service_desk.requests import register, send
from tests.support.requests import code_of

TEXTS = ("subject", "description", "reply", "solution", "reopening_reason")


class Planted:
    """A complaint whose every personal field holds a word that is found nowhere else."""

    def __init__(self) -> None:
        self.words = [f"canary{uuid4().hex}" for _ in range(5)]
        self.person = uuid4()
        self.complaint = ""

    async def plant(self, client: httpx.AsyncClient) -> "Planted":
        subject, description, reply, solution, reason = self.words
        made = await register(client, person_id=str(self.person), subject=subject, description=description)
        self.complaint = made["id"]
        steps = {
            "complaints.send-first-reply": {"text": reply},
            "complaints.resolve": {"solution": solution},
            "complaints.reopen": {"reason": reason},
        }
        for name, body in steps.items():
            assert (await send(client, name, self.complaint, body)).status_code == 200
        return self

    def in_(self, text: str) -> list[str]:
        low = text.lower()
        return [w for w in self.words if w in low or w.encode().hex() in low]


async def forget(app: FastAPI, *persons: UUID) -> None:
    """What the follower of contacts' feed does with the news."""
    moved: list[Connection] = []

    async def checkpoint(connection: Connection) -> None:
        moved.append(connection)

    news = [erased(person, position) for position, person in enumerate(persons, 1)]
    await Forgetting(app.state.node).apply(news, [], checkpoint)
    assert moved


def erased(person: UUID, position: int) -> PublicRecord:
    noon = datetime(2025, 3, 3, 12, tzinfo=UTC)
    return PublicRecord(
        source="contacts",
        incarnation=uuid4(),
        partition=0,
        position=position,
        previous=None,
        event_id=uuid4(),
        stream_id=person,
        version=2,
        type=PERSON_ERASED,
        data={"person_id": str(person)},
        occurred_at=noon,
        recorded_at=noon,
        correlation_id="test",
        causation_id=str(uuid4()),
        traceparent=None,
    )


@pytest.fixture
async def database(url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    yield connection
    await connection.close()


@pytest.fixture
async def planted(admin: httpx.AsyncClient) -> Planted:
    return await Planted().plant(admin)


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


async def test_whoever_has_an_old_answer_is_not_told_that_it_still_holds(
    app: FastAPI, admin: httpx.AsyncClient
) -> None:
    planted = await Planted().plant(admin)
    where = f"/v1/complaints/{planted.complaint}"
    before = await admin.get(where)
    asked = {"If-None-Match": before.headers["ETag"]}
    assert (await admin.get(where, headers=asked)).status_code == 304
    await forget(app, planted.person)
    after = await admin.get(where, headers=asked)
    assert (after.status_code, after.json()["subject"]) == (200, None)
    assert after.headers["ETag"] == before.headers["ETag"]


async def test_no_word_of_a_forgotten_person_is_left(
    app: FastAPI,
    admin: httpx.AsyncClient,
    database: Connection,
    planted: Planted,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    held = await dump(database)
    assert {name for name, text in held.items() if planted.in_(text)} == {"complaint_queue_1"}
    assert planted.in_(await feed(admin)) == []
    refused = [
        await send(admin, "complaints.confirm", planted.complaint),
        await send(admin, "complaints.resolve", planted.complaint, {"solution": planted.words[0] + "\0"}),
        await send(admin, "complaints.reopen", planted.complaint, {"raison": planted.words[1]}),
    ]
    assert [code_of(answer)[0] for answer in refused] == [409, 422, 422]
    assert planted.in_("".join(answer.text for answer in refused)) == []

    await forget(app, planted.person)

    assert {
        name: found for name, text in (await dump(database)).items() if (found := planted.in_(text))
    } == {}
    assert planted.in_(await feed(admin)) == []
    for path in ("", "/timeline"):
        assert planted.in_((await admin.get(f"/v1/complaints/{planted.complaint}{path}")).text) == []
    assert planted.in_((await admin.get("/v1/complaints?limit=200")).text) == []
    printed = capfd.readouterr()
    assert planted.in_(printed.out + printed.err + caplog.text) == []


async def test_the_complaint_stays_without_its_words(
    app: FastAPI, admin: httpx.AsyncClient, planted: Planted
) -> None:
    before = (await admin.get(f"/v1/complaints/{planted.complaint}")).json()
    assert [before[name] for name in TEXTS if name != "solution"] == [
        word for word in planted.words if word != planted.words[3]
    ]
    await forget(app, planted.person)
    after = (await admin.get(f"/v1/complaints/{planted.complaint}")).json()
    assert after == {**before, **dict.fromkeys(TEXTS)}
    timeline = (await admin.get(f"/v1/complaints/{planted.complaint}/timeline")).json()["items"]
    assert len(timeline) == 4
    words = ("subject", "description", "text", "solution", "reason")
    assert not [entry for entry in timeline if any(entry["data"].get(name) for name in words)]
    listed = (await admin.get("/v1/complaints?sort=-updated_at")).json()["items"]
    (row,) = [item for item in listed if item["id"] == planted.complaint]
    assert (row["subject"], row["person_id"]) == (None, str(planted.person))


async def test_the_key_is_gone_and_no_event_was_touched(
    app: FastAPI, admin: httpx.AsyncClient, database: Connection, planted: Planted
) -> None:
    events = "SELECT * FROM events WHERE stream_id = $1 ORDER BY version"
    keys = "SELECT wrapped_key, shredded_at FROM person_keys WHERE person_id = $1"
    before = await database.fetch(events, planted.complaint)
    assert (await database.fetchrow(keys, planted.person))["wrapped_key"] is not None
    await forget(app, planted.person)
    assert await database.fetch(events, planted.complaint) == before
    key = await database.fetchrow(keys, planted.person)
    assert key["wrapped_key"] is None
    assert key["shredded_at"] is not None


async def test_news_that_comes_twice_is_noted_once_and_told_by_nobody_here(
    app: FastAPI, admin: httpx.AsyncClient, database: Connection, planted: Planted
) -> None:
    before = await feed(admin)
    for _ in range(2):
        await forget(app, planted.person, planted.person)
    noted = await database.fetch("SELECT type FROM events WHERE stream_id = $1", planted.person)
    assert [row["type"] for row in noted] == ["PersonForgotten"]
    assert await feed(admin) == before


async def test_nothing_personal_is_written_of_them_again(
    app: FastAPI, admin: httpx.AsyncClient, planted: Planted
) -> None:
    await forget(app, planted.person)
    word = planted.words[0]
    registered: dict[str, Any] = {"person_id": str(planted.person), "subject": word, "description": word}
    registered |= {"customer_id": str(uuid4()), "channel": "phone"}
    answers = [
        await send(admin, "complaints.resolve", planted.complaint, {"solution": word}),
        await send(admin, "complaints.register", body=registered),
    ]
    assert (await send(admin, "complaints.resolve", planted.complaint, {})).status_code == 200
    answers.append(await send(admin, "complaints.reopen", planted.complaint, {"reason": word}))
    assert [code_of(answer) for answer in answers] == [(409, "PERSON_ERASED")] * 3
    assert planted.in_("".join(answer.text for answer in answers)) == []


async def test_the_case_of_a_forgotten_person_is_still_worked_on(
    app: FastAPI, admin: httpx.AsyncClient
) -> None:
    made = await register(admin, person_id=str(person := uuid4()))
    await forget(app, person)
    for name in ("send-first-reply", "resolve", "confirm", "close", "reopen"):
        answer = await send(admin, f"complaints.{name}", made["id"], {})
        assert answer.status_code == 200, answer.text
    assigned = await send(admin, "complaints.assign", made["id"])
    assert (assigned.json()["subject"], assigned.json()["version"]) == (None, 7)


async def test_who_was_erased_before_they_complained_is_known_to_be(
    app: FastAPI, admin: httpx.AsyncClient
) -> None:
    await forget(app, person := uuid4())
    body = {"customer_id": str(uuid4()), "channel": "phone", "subject": "s", "description": "d"}
    answer = await send(admin, "complaints.register", body={**body, "person_id": str(person)})
    assert code_of(answer) == (409, "PERSON_ERASED")


async def test_others_keep_their_words(app: FastAPI, admin: httpx.AsyncClient, planted: Planted) -> None:
    other, unnamed = await Planted().plant(admin), await register(admin, person_id=None)
    await forget(app, planted.person)
    assert other.in_((await admin.get(f"/v1/complaints/{other.complaint}/timeline")).text) == other.words
    assert (await admin.get(f"/v1/complaints/{unnamed['id']}")).json() == unnamed


async def test_a_repeat_of_what_came_before_says_nothing_personal(
    app: FastAPI, admin: httpx.AsyncClient
) -> None:
    key, word = new_key(), f"canary{uuid4().hex}"
    body = {"customer_id": str(uuid4()), "person_id": str(person := uuid4()), "channel": "phone"}
    body |= {"subject": word, "description": word}
    await send(admin, "complaints.register", body=body, headers=key)
    await forget(app, person)
    again = await send(admin, "complaints.register", body=body, headers=key)
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (201, "true")
    assert word not in again.text
