"""Who was erased where they are at home is erased here too, exactly once, whatever was known of them."""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest
from kernel.domain.errors import Conflict
from kernel.messaging.forgetting import PERSON_ERASED, Forgetting
from kernel.messaging.records import PublicRecord
from kernel.testing.toy_note import Count, Remark

from tests.kernel.model_source import ModelSource
from tests.kernel.toys import ADA, BOB, Toy, on, settled


async def nothing(connection: asyncpg.Connection) -> None:
    """No bookmarks here."""


@pytest.fixture
async def home(toy: Toy) -> AsyncIterator[Toy]:
    toy.node.committer.start()
    toy.through = toy.node.committer
    yield toy
    await toy.node.committer.stop()


def erased(*persons: UUID) -> Sequence[PublicRecord]:
    source = ModelSource(random.Random(0))
    source.write(len(persons))
    return [
        replace(record, source="contacts", type=PERSON_ERASED, data={"person_id": str(person)})
        for record, person in zip(source.log, persons, strict=True)
    ]


async def test_an_erasure_elsewhere_destroys_the_key_and_empties_the_views(home: Toy) -> None:
    await home.written(home.through, BOB)
    await home.through.submit(on(BOB, Remark(person_id=ADA, remark="she said so")))
    await Forgetting(home.node).apply(erased(ADA), [], nothing)
    assert await home.history(ADA) == ["PersonForgotten"]
    assert await home.value("SELECT wrapped_key FROM person_keys WHERE person_id = $1", ADA) is None
    assert await home.value("SELECT remark FROM toy_lines_1 WHERE person_id = $1", ADA) is None
    answer = await home.through.submit(on(BOB, Count()))
    assert answer.facts[1].fact.remark is None
    (refused,) = await settled(home.through.submit(on(BOB, Remark(person_id=ADA, remark="again"))))
    assert isinstance(refused, Conflict)
    assert refused.code == "PERSON_ERASED"


async def test_someone_of_whom_nothing_was_known_never_gets_a_key(home: Toy) -> None:
    await home.written(home.through, BOB)
    await Forgetting(home.node).apply(erased(ADA), [], nothing)
    (refused,) = await settled(home.through.submit(on(BOB, Remark(person_id=ADA, remark="first"))))
    assert isinstance(refused, Conflict)


async def test_someone_whose_id_a_client_gave_to_a_record_is_forgotten_all_the_same(home: Toy) -> None:
    await home.written(home.through, ADA, BOB, text="a note with her id")
    await home.through.submit(on(BOB, Remark(person_id=ADA, remark="she said so")))
    await Forgetting(home.node).apply(erased(ADA), [], nothing)
    assert await home.history(ADA) == ["NoteWritten"]
    assert await home.value("SELECT wrapped_key FROM person_keys WHERE person_id = $1", ADA) is None
    assert await home.value("SELECT remark FROM toy_lines_1 WHERE person_id = $1", ADA) is None


async def test_an_erasure_of_a_time_that_is_still_to_come_here_is_no_later_one(home: Toy) -> None:
    (record,) = erased(ADA)
    ahead = replace(record, occurred_at=datetime.now(UTC) + timedelta(hours=1))
    await Forgetting(home.node).apply([ahead], [], nothing)
    assert await home.history(ADA) == ["PersonForgotten"]


async def test_an_erasure_that_is_told_twice_is_one_fact(home: Toy) -> None:
    forgetting = Forgetting(home.node)
    await forgetting.apply(erased(ADA, ADA), [], nothing)
    await forgetting.apply(erased(ADA), [], nothing)
    assert await home.history(ADA) == ["PersonForgotten"]


async def test_a_checkpoint_that_is_lost_takes_the_erasure_with_it(home: Toy) -> None:
    async def lost(connection: asyncpg.Connection) -> None:
        raise LookupError("someone else has it")

    with pytest.raises(LookupError):
        await Forgetting(home.node).apply(erased(ADA), [], lost)
    assert await home.history(ADA) == []


async def test_other_records_move_the_checkpoint_and_erase_nobody(home: Toy) -> None:
    async def moved(connection: asyncpg.Connection) -> None:
        await connection.execute("INSERT INTO published_types VALUES ('moved', 1)")

    records = [replace(record, type="crm.contacts.person-linked.v1") for record in erased(ADA)]
    await Forgetting(home.node).apply(records, [], moved)
    assert (await home.count("published_types"), await home.count("events")) == (1, 0)


async def test_more_erasures_than_one_batch_takes_are_all_carried_out(home: Toy) -> None:
    persons = [uuid4() for _ in range(8300)]
    # The follower goes on from the checkpoint, whatever is raised after it was moved.
    with suppress(Exception):
        await Forgetting(home.node).apply(erased(*persons), [], nothing)
    assert await home.count("person_keys") == len(persons)
