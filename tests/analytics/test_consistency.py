"""Who has written reads what was written, waits no longer than asked, and is told when it is not there yet."""

import asyncio
from random import Random
from time import monotonic
from uuid import UUID

import httpx
import pytest
from analytics.app import service
from fastapi import FastAPI
from kernel.messaging.bookmarks import BookmarkStore
from kernel.messaging.service import Node
from kernel.messaging.sources import Bookmark
from kernel.testing.fixtures import make_settings
from kernel.web.consistency import Preferences, preferences
from kernel.web.tokens import Place, sign

from tests.analytics.telling import INCARNATION, Teller
from tests.analytics.worlds import world

SECRET = Node(service, make_settings("postgresql://nobody@nowhere/nothing")).secret


def token(position: int, service: str = "opportunities", incarnation: UUID = INCARNATION) -> str:
    return Place(service, incarnation, position).token(SECRET)


async def ask(client: httpx.AsyncClient, tokens: str, prefer: str = "") -> tuple[httpx.Response, float]:
    began = monotonic()
    headers = {"Consistency-Token": tokens} | ({"Prefer": prefer} if prefer else {})
    answer = await client.get("/v1/sales", headers=headers)
    return answer, monotonic() - began


async def test_what_was_received_is_answered_at_once(teller: Teller, analyst: httpx.AsyncClient) -> None:
    await teller.tell(*world(Random(1)).pipelines)
    answer, seconds = await ask(analyst, token(2), "wait=5, handling=strict")
    assert answer.status_code == 200
    assert answer.headers["Preference-Applied"] == "wait=5, handling=strict"
    assert "Projection-Lag" not in answer.headers
    assert seconds < 2


async def test_a_read_waits_until_what_it_names_arrives(teller: Teller, analyst: httpx.AsyncClient) -> None:
    made = world(Random(1))
    await teller.tell(made.pipelines[0])

    async def later() -> None:
        await asyncio.sleep(0.3)
        await teller.tell(made.pipelines[1])

    telling = asyncio.create_task(later())
    answer, seconds = await ask(analyst, token(2), "wait=5, handling=strict")
    await telling
    assert (answer.status_code, answer.json()["as_of_position"]) == (200, 2)
    assert 0.3 <= seconds < 4


async def test_a_strict_read_is_refused_when_the_time_is_over_and_not_before(
    teller: Teller, analyst: httpx.AsyncClient
) -> None:
    await teller.tell(*world(Random(1)).pipelines)
    answer, seconds = await ask(analyst, token(3), "handling=strict, wait=0.4")
    assert (answer.status_code, answer.json()["code"]) == (503, "PROJECTION_BEHIND")
    assert answer.headers["Retry-After"] == "1"
    assert 0.4 <= seconds < 2


async def test_a_lenient_read_is_answered_with_its_lag(teller: Teller, analyst: httpx.AsyncClient) -> None:
    await teller.tell(*world(Random(1)).pipelines)
    answer, seconds = await ask(analyst, token(3), "wait=0.3")
    assert answer.status_code == 200
    assert answer.headers["Preference-Applied"] == "wait=0.3, handling=lenient"
    assert answer.headers["Projection-Lag"] == "unknown"
    assert seconds >= 0.3
    for source in ("contacts", "service-desk"):
        await teller.complete(source, 1)
    answer, _ = await ask(analyst, token(3))
    assert int(answer.headers["Projection-Lag"]) == answer.json()["lag_ms"] > 0


async def test_what_is_never_published_has_arrived_when_its_source_is_complete_past_it(
    teller: Teller, analyst: httpx.AsyncClient
) -> None:
    await teller.tell(*world(Random(1)).pipelines)
    assert (await ask(analyst, token(40), "handling=strict"))[0].status_code == 503
    await teller.complete("opportunities", 40)
    assert (await ask(analyst, token(40), "handling=strict"))[0].status_code == 200
    assert (await ask(analyst, token(41), "handling=strict"))[0].status_code == 503


async def test_on_kafka_every_partition_must_be_past_it(
    app: FastAPI, teller: Teller, analyst: httpx.AsyncClient
) -> None:
    partitions = app.state.node.settings.partitions

    async def past(positions: list[int]) -> int:
        moved = {("contacts", n): Bookmark(INCARNATION, position) for n, position in enumerate(positions)}
        async with teller.database.driver() as connection:
            await BookmarkStore("analytics").move(connection, teller.bookmarks, moved)
        teller.bookmarks |= moved
        return (await ask(analyst, token(7, "contacts"), "handling=strict"))[0].status_code

    assert await past([9] * (partitions - 1)) == 503
    assert await past([9] * (partitions - 1) + [6]) == 503
    assert await past([9] * (partitions - 1) + [7]) == 200


async def test_a_place_in_another_incarnation_has_not_arrived(
    teller: Teller, analyst: httpx.AsyncClient
) -> None:
    await teller.tell(*world(Random(1)).pipelines)
    await teller.complete("opportunities", 40)
    answer, _ = await ask(analyst, token(2, incarnation=UUID(int=9)), "handling=strict")
    assert answer.status_code == 503


async def test_several_tokens_must_all_have_arrived(teller: Teller, analyst: httpx.AsyncClient) -> None:
    await teller.tell(*world(Random(1)).pipelines)
    both = f"{token(2)}, {token(1, 'contacts')}"
    assert (await ask(analyst, both, "handling=strict"))[0].status_code == 503
    await teller.complete("contacts", 1)
    assert (await ask(analyst, both, "handling=strict"))[0].status_code == 200


@pytest.mark.parametrize(
    "bad",
    [
        "not a token",
        token(2)[:-1],
        ("B" if token(2)[0] == "A" else "A") + token(2)[1:],
        sign(b"somebody else's secret", "consistency", ["opportunities", str(INCARNATION), 2]),
        sign(SECRET, "list", ["opportunities", str(INCARNATION), 2]),
        sign(SECRET, "consistency", ["opportunities"]),
        token(2, "analytics"),
        ", ".join([token(1)] * 9),
    ],
)
async def test_a_token_that_is_not_one_is_refused(analyst: httpx.AsyncClient, bad: str) -> None:
    answer, _ = await ask(analyst, bad)
    assert (answer.status_code, answer.json()["code"]) == (400, "MALFORMED_HEADER"), answer.text


async def test_without_a_token_nothing_is_waited_for(analyst: httpx.AsyncClient) -> None:
    answer = await analyst.get("/v1/sales", headers={"Prefer": "wait=5, handling=strict"})
    assert answer.status_code == 200
    assert "Preference-Applied" not in answer.headers


@pytest.mark.parametrize(
    ("header", "meant"),
    [
        ("", Preferences()),
        ("wait=2", Preferences(2.0)),
        ("WAIT=2, Handling=Strict", Preferences(2.0, True)),
        ('wait="2"; note=x,respond-async', Preferences(2.0)),
        ("wait=60", Preferences(5.0)),
        ("wait=1, wait=4", Preferences(1.0)),
        ("wait=-1", Preferences()),
        ("wait=nan", Preferences()),
        ("wait=1e9", Preferences()),
        ("handling=lenient", Preferences()),
        (",,=;", Preferences()),
    ],
)
def test_preferences_that_make_no_sense_are_as_if_not_there(header: str, meant: Preferences) -> None:
    assert preferences(header) == meant
