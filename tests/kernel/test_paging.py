"""Lists: signed cursors of one query and one caller, and pages that neither repeat nor skip while rows come and go."""

import random
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import APIRouter
from kernel.testing.fixtures import api
from kernel.testing.toy import cards, note
from kernel.web import paging
from kernel.web.app import create_app
from kernel.web.auth import Role
from kernel.web.paging import ListQuery, ListRead
from kernel.web.policy import Policy, Scope
from kernel.web.reads import show
from pydantic import BaseModel

from tests.kernel.model_source import START
from tests.kernel.toys import Toy

router = APIRouter()


class NoteQuery(ListQuery):
    sort: Literal["title", "-title", "created_at", "-created_at"] = "title"
    title: str | None = None


class Item(BaseModel):
    id: UUID
    etag: str
    title: str
    created_at: datetime


listed = ListRead(
    id="notes.list",
    path="/v1/notes",
    category=note.category,
    view=cards,
    query=NoteQuery,
    item=Item,
    summary="List notes",
)
elsewhere = replace(listed, id="notes.elsewhere", path="/v1/elsewhere")
reads = show(router, [listed, elsewhere])


class Notes:
    def __init__(self, toy: Toy, client: httpx.AsyncClient) -> None:
        self.toy = toy
        self.client = client

    async def add(self, chance: random.Random, count: int) -> None:
        """Titles and times that many notes share, so that only the id tells them apart."""
        for _ in range(count):
            await self.toy.rows(
                "INSERT INTO toy_cards_1 VALUES ($1, $2, NULL, 0, 1, $3, $3)",
                uuid4(),
                chance.choice("abcäÄ关 "),
                START + timedelta(microseconds=chance.randint(0, 3)),
            )

    async def ids(self) -> set[str]:
        return {str(row["id"]) for row in await self.toy.rows("SELECT id FROM toy_cards_1")}

    async def page(self, **query: Any) -> dict[str, Any]:
        answer = await self.client.get("/v1/notes", params=query)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture
async def notes(toy: Toy) -> AsyncIterator[Notes]:
    policy = Policy(commands={}, reads={"note": {Role.ADMIN: Scope.ALL}})
    app = create_app(toy.node, policy, title="Toy", routers=(router,), reads=reads)
    async with api(app) as client:
        yield Notes(toy, client)


@pytest.mark.parametrize("sort", ["title", "-title", "created_at", "-created_at"])
async def test_pages_are_the_whole_list_forwards_and_backwards(notes: Notes, sort: str) -> None:
    await notes.add(random.Random(1), 40)
    whole = (await notes.page(sort=sort, limit=200))["items"]
    assert {item["id"] for item in whole} == await notes.ids()
    for limit in (1, 7, 40):
        page = await notes.page(sort=sort, limit=limit)
        there, last = list(page["items"]), page
        while cursor := last["next_cursor"]:
            last = await notes.page(sort=sort, limit=limit, cursor=cursor)
            there += last["items"]
        assert there == whole
        back = list(last["items"])
        while cursor := last["prev_cursor"]:
            last = await notes.page(sort=sort, limit=limit, cursor=cursor)
            back = last["items"] + back
        assert back == whole


@pytest.mark.parametrize("seed", range(6))
async def test_what_stays_is_seen_exactly_once_while_rows_come_and_go(notes: Notes, seed: int) -> None:
    chance = random.Random(seed)
    await notes.add(chance, 30)
    stays = await notes.ids()
    sort = chance.choice(["title", "-title", "created_at", "-created_at"])
    page = await notes.page(sort=sort, limit=4)
    seen = [item["id"] for item in page["items"]]
    while cursor := page["next_cursor"]:
        await notes.add(chance, 2)
        gone = chance.choice(sorted(await notes.ids()))
        await notes.toy.rows("DELETE FROM toy_cards_1 WHERE id = $1::text::uuid", gone)
        stays.discard(gone)
        page = await notes.page(sort=sort, limit=4, cursor=cursor)
        seen += [item["id"] for item in page["items"]]
        if len(seen) > 120:
            break
    assert len(seen) == len(set(seen))
    assert stays <= set(seen)


def test_a_list_that_could_not_say_where_it_goes_on_is_not_declared() -> None:
    class Untimed(BaseModel):
        id: UUID
        etag: str
        title: str

    with pytest.raises(ValueError, match="created_at"):
        replace(listed, item=Untimed)
    assert replace(listed, item=Untimed, needs=("created_at",)).id == listed.id


async def test_a_cursor_belongs_to_one_query_and_one_caller(notes: Notes) -> None:
    await notes.add(random.Random(2), 5)
    cursor = (await notes.page(limit=2))["next_cursor"]

    async def refused(cursor: str, **query: Any) -> str:
        answer = await notes.client.get("/v1/notes", params={"cursor": cursor, **query})
        assert answer.status_code == 400, answer.text
        code: str = answer.json()["code"]
        return code

    assert await refused(cursor, sort="-title") == "CURSOR_MISMATCH"
    assert await refused(cursor, title="a") == "CURSOR_MISMATCH"
    for altered in ("A" + cursor[1:], cursor[:-8], cursor[:20], "ä", "x", "A" * 60):
        assert await refused(altered) == "CURSOR_INVALID"
    answer = await notes.client.get("/v1/elsewhere", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (400, "CURSOR_MISMATCH")
    # Another size of page is the same query.
    assert len((await notes.page(limit=1, cursor=cursor))["items"]) == 1


async def test_the_total_of_all_pages_is_said_when_asked_for(
    notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    await notes.add(random.Random(4), 7)
    assert not {"total", "total_is_exact"} & set(await notes.page(limit=2))
    page = await notes.page(limit=2, include="total")
    assert (len(page["items"]), page["total"], page["total_is_exact"]) == (2, 7, True)
    following = await notes.page(limit=2, include="total", cursor=page["next_cursor"])
    assert (following["total"], following["total_is_exact"]) == (7, True)
    title = page["items"][0]["title"]
    same = await notes.page(title=title, include="total")
    assert same["total"] == len(same["items"]) < 7
    assert (await notes.page(title="nowhere", include="total"))["total"] == 0
    monkeypatch.setattr(paging, "MOST_COUNTED", 5)
    page = await notes.page(limit=2, include="total")
    assert (page["total"], page["total_is_exact"]) == (5, False)


async def test_an_item_says_ids_and_times_as_every_other_answer_does(notes: Notes) -> None:
    whole, fraction = (
        datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC),
        datetime(1999, 12, 31, 0, 0, 0, 120, tzinfo=UTC),
    )
    for number, at in enumerate((whole, fraction)):
        await notes.toy.rows(
            "INSERT INTO toy_cards_1 VALUES ($1, $2, NULL, 0, 1, $3, $3)", uuid4(), str(number), at
        )
    items = (await notes.page(sort="title"))["items"]
    said = [Item(**{**item, "id": UUID(item["id"])}).model_dump(mode="json") for item in items]
    assert items == said
    assert [item["created_at"] for item in items] == ["2026-03-01T23:59:59Z", "1999-12-31T00:00:00.000120Z"]


async def test_a_page_is_of_the_version_that_is_live_when_it_is_read(notes: Notes) -> None:
    rows = notes.toy.rows
    await notes.add(random.Random(3), 3)
    old = await notes.ids()
    await rows("CREATE TABLE toy_cards_2 (LIKE toy_cards_1 INCLUDING ALL)")
    await rows("INSERT INTO views (name, version, shape, epoch, live) VALUES ('toy_cards', 2, 1, 0, false)")
    try:
        assert {item["id"] for item in (await notes.page())["items"]} == old
        await rows("UPDATE views SET live = (version = 2) WHERE name = 'toy_cards'")
        assert (await notes.page())["items"] == []
        await rows("INSERT INTO toy_cards_2 SELECT * FROM toy_cards_1 ORDER BY id LIMIT 1")
        assert [item["id"] for item in (await notes.page())["items"]] == [min(old)]
        # A restore goes back: what the process remembers is then no table at all.
        await rows("UPDATE views SET live = (version = 1) WHERE name = 'toy_cards'")
        await rows("DROP TABLE toy_cards_2")
        assert {item["id"] for item in (await notes.page())["items"]} == old
    finally:
        await rows("DROP TABLE IF EXISTS toy_cards_2")
        await rows("DELETE FROM views WHERE name = 'toy_cards' AND version = 2")
        await rows("UPDATE views SET live = true WHERE name = 'toy_cards'")
