"""The running digest: any altered event, place or order shows; a redaction and a reading do not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from kernel.messaging.digest import START, extend
from kernel.messaging.records import Translator
from kernel.storage import log
from kernel.storage.log import StoredEvent
from kernel.testing.toy import service
from kernel.testing.toy_note import Count, Label, Remark

from tests.kernel.toys import ADA, BOB, Toy, on


async def told(toy: Toy) -> list[StoredEvent]:
    return await log.read_after(await toy.connect(), 0, 1000)


def digest(events: list[StoredEvent]) -> bytes:
    found = START
    for event in events:
        found = extend(found, event)
    return found


@pytest.fixture
async def history(toy: Toy) -> Toy:
    committer = await toy.committer()
    await toy.written(committer, ADA, text="personal")
    await committer.submit(on(ADA, Count(by=3)))
    await committer.submit(on(ADA, Remark(person_id=BOB, remark="personal")))
    await committer.submit(on(ADA, Label(label="four")))
    return toy


ALTERATIONS = [
    "data = jsonb_set(data, '{by}', '4')",
    "occurred_at = occurred_at - interval '1 second'",
    "recorded_at = recorded_at + interval '1 millisecond'",
    "type = 'NoteLabelled'",
    "schema_version = 2",
    "version = 20",
    "event_id = gen_random_uuid()",
    "stream_id = gen_random_uuid()",
    "meta = jsonb_set(meta, '{actor}', '\"somebody else\"')",
    "personal_digest = '\\x00'",
]


@pytest.mark.parametrize("altered", ALTERATIONS, ids=lambda said: said.split()[0])
async def test_an_altered_event_changes_the_digest(history: Toy, altered: str) -> None:
    before = digest(await told(history))
    await history.rows(f"UPDATE events SET {altered} WHERE position = 2")
    assert digest(await told(history)) != before


async def test_a_missing_or_moved_event_changes_the_digest(history: Toy) -> None:
    events = await told(history)
    assert digest(events) == digest(await told(history))
    assert digest(events[:1] + events[2:]) != digest(events)
    assert digest([events[1], events[0], *events[2:]]) != digest(events)


async def test_a_redaction_leaves_the_digest_valid(history: Toy) -> None:
    before = digest(await told(history))
    await history.rows("UPDATE events SET personal = NULL")
    assert digest(await told(history)) == before


async def test_an_event_that_was_translated_has_the_digest_of_the_stored_one(history: Toy) -> None:
    before = digest(await told(history))
    events = await told(history)
    translator = Translator(service, history.catalog)
    for event in events:
        translator.translate(event, ADA, 12)
    assert digest(events) == before


def stored(**said: Any) -> StoredEvent:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return replace(StoredEvent(1, ADA, 1, BOB, "Told", 1, {}, None, None, {}, at, at), **said)


def test_a_microsecond_is_not_lost_in_the_digest() -> None:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=2_147_498_412_195_747)
    tick = timedelta(microseconds=1)
    assert extend(START, stored(occurred_at=at)) != extend(START, stored(occurred_at=at + tick))
