"""The feed: everything that is published and nothing personal, page by page, to whoever asks from wherever."""

import asyncio
from datetime import datetime
from uuid import UUID, uuid4

import pytest
from kernel.messaging.feed import Gone, History, Incarnation, Page, read_page, register_published_types
from kernel.messaging.records import Translator, cloud_event
from kernel.storage import log
from kernel.testing.toy import SetLimit, service
from kernel.testing.toy_note import Count, Label, Remark
from pydantic_core import to_json

from tests.kernel.slow_appender import append
from tests.kernel.toys import ADA, BOB, Toy, limited, on

TAKEN, GREW = "crm.toy.note-taken.v1", "crm.toy.note-grew.v1"
A, B, C = (UUID(int=n) for n in (1, 2, 3))


async def page(toy: Toy, after: int = 0, limit: int = 1000, *types: str, past: bool = False) -> Page:
    translator = Translator(service, toy.catalog)
    async with toy.database.driver() as connection:
        return await read_page(
            connection, translator, after=after, limit=limit, types=frozenset(types), include_past=past
        )


async def publish(toy: Toy, *types: str) -> None:
    async with toy.database.driver() as connection:
        await register_published_types(connection, types)


async def test_small_pages_together_are_the_whole_feed_whatever_is_asked_for(toy: Toy) -> None:
    committer = await toy.committer()
    await publish(toy, TAKEN, GREW)
    ids = [uuid4() for _ in range(12)]
    await toy.written(committer, *ids)
    for n, stream_id in enumerate(ids * 2):
        await committer.submit(on(stream_id, Count(by=n) if n % 3 else Label(label=f"label {n}")))
    for types in ((), (TAKEN,), (GREW,), (TAKEN, GREW), ("crm.toy.nothing.v1",)):
        whole = [record.position for record in (await page(toy, 0, 1000, *types)).records]
        for limit in (1, 2, 7):
            after, found = 0, list[int]()
            while (part := await page(toy, after, limit, *types)).position > after:
                found += [record.position for record in part.records]
                after = part.position
            assert found == whole
    assert len((await page(toy)).records) == 12 + 16


async def test_a_type_counts_from_when_it_was_published_and_its_past_on_request(toy: Toy) -> None:
    committer = await toy.committer()
    await publish(toy, TAKEN)
    await toy.written(committer, ADA)
    await committer.submit(on(ADA, Count(by=1)))
    await publish(toy, TAKEN, GREW)
    await committer.submit(on(ADA, Count(by=2)))
    await publish(toy, TAKEN, GREW)
    assert [record.position for record in (await page(toy)).records] == [1, 3]
    assert [record.position for record in (await page(toy, 0, 9, GREW, past=True)).records] == [2, 3]
    assert [record.position for record in (await page(toy, past=True)).records] == [1, 2, 3]


async def test_nothing_personal_and_nothing_unpublished_is_in_the_feed(toy: Toy) -> None:
    committer = await toy.committer()
    await publish(toy, TAKEN, GREW)
    canary = f"canary-{uuid4()}"
    await toy.written(committer, ADA, text=canary, title=canary)
    await committer.submit(on(ADA, Remark(person_id=BOB, remark=canary)))
    await committer.submit(on(ADA, Label(label=canary)))
    await committer.submit(limited(BOB, SetLimit(most=3)))
    await committer.submit(on(ADA, Count()))
    found = await page(toy, past=True)
    assert [record.type for record in found.records] == [TAKEN, GREW]
    assert found.position == 5
    assert canary.encode() not in to_json([cloud_event(record) for record in found.records])
    # It is in the log once, as what it is: an open title and an open label.
    assert await toy.value("SELECT count(*) FROM events WHERE strpos(events::text, $1) > 0", canary) == 2


async def test_the_time_of_a_page_is_never_ahead_of_an_event_that_it_lacks(toy: Toy) -> None:
    committer = await toy.committer()
    await toy.written(committer, ADA)
    await toy.rows("UPDATE events SET recorded_at = recorded_at - interval '1 minute'")
    slow = await toy.connect()
    await log.begin(slow)
    await append(slow, uuid4(), 1)
    await asyncio.sleep(0.01)
    stated: list[datetime | None] = [(await page(toy)).at, (await page(toy, 1)).at]
    await slow.execute("COMMIT")
    recorded = await toy.value("SELECT recorded_at FROM events WHERE position = 2")
    assert all(at is None or at < recorded for at in stated)


async def test_an_empty_log_has_an_empty_feed(toy: Toy) -> None:
    found = await page(toy)
    assert (found.records, found.incarnation, found.position) == ([], None, 0)


def test_a_place_above_the_end_of_its_incarnation_is_gone_and_says_where_to_go_on() -> None:
    history = History([Incarnation(A, 0, 12), Incarnation(B, 10, 12), Incarnation(C, 7, 12)])
    for incarnation, position in ((A, 7), (A, 0), (B, 7), (C, 7), (C, 900)):
        history.check(incarnation, position)
    with pytest.raises(Gone) as gone:
        history.check(A, 8)
    assert gone.value.position == 7
    with pytest.raises(Gone) as gone:
        history.check(B, 12)
    assert (gone.value.incarnation, gone.value.position) == (C, 7)
    with pytest.raises(Gone) as gone:
        history.check(UUID(int=99), 900)
    assert (gone.value.incarnation, gone.value.position) == (C, 7)
    with pytest.raises(Gone) as gone:
        history.check(UUID(int=99), 3)
    assert gone.value.position == 3


def test_a_position_belongs_to_the_incarnation_that_wrote_it() -> None:
    history = History([Incarnation(A, 0, 12), Incarnation(B, 10, 12), Incarnation(C, 10, 24)])
    assert [history.at(position).id for position in (1, 10, 11, 99)] == [A, A, C, C]
