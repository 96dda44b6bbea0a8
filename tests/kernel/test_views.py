"""Rows written batch by batch are what a fold from scratch makes of the same events, whatever the batches were."""

import asyncio
import random
from typing import Any
from uuid import UUID, uuid4

import pytest
from kernel.storage.loading import Loader
from kernel.storage.views import Row, Rows
from kernel.testing.toy import cards, lines
from kernel.testing.toy_note import Count, Erase, Label, NoteErased, NoteWritten, Remark, Retract, WriteNote

from tests.kernel.toys import ADA, BOB, Toy, on, settled


def some_command(chance: random.Random, persons: list[UUID]) -> Any:
    return chance.choice(
        [
            WriteNote(title=f"title {chance.random()}", text=f"text {chance.random()}"),
            Count(by=chance.randint(1, 3)),
            Count(by=1),
            Label(label=f"label {chance.random()}"),
            Remark(person_id=chance.choice(persons), remark=f"remark {chance.random()}"),
            *([Retract()] if chance.random() < 0.1 else []),
            *([Erase()] if chance.random() < 0.1 else []),
        ]
    )


async def folded(toy: Toy, view: Rows) -> dict[UUID, Row]:
    """From the log alone: what is erased is unreadable, and is blank."""
    async with toy.database.driver() as connection:
        ids = [row["stream_id"] for row in await connection.fetch("SELECT stream_id FROM streams")]
        loader = Loader(connection, toy.catalog)
        await loader.load(ids, await loader.heads(ids))
    rows: dict[UUID, Row | None] = {}
    for stream in loader.known.streams.values():
        assert stream
        view.project_all(rows, stream.facts)
    return {key: row for key, row in rows.items() if row is not None}


async def stored(toy: Toy, view: Rows) -> dict[UUID, Row]:
    return {row["id"]: dict(row) for row in await toy.rows(f'SELECT * FROM "{view.name}_1"')}


@pytest.mark.parametrize("seed", range(6))
async def test_rows_are_what_a_fold_from_scratch_makes_of_the_events(toy: Toy, seed: int) -> None:
    chance = random.Random(seed)
    committers = [await toy.committer(), await toy.committer()]
    ids = [uuid4() for _ in range(6)]
    for _ in range(12):
        commands = [on(chance.choice(ids), some_command(chance, ids)) for _ in range(chance.randint(1, 25))]
        await settled(*(chance.choice(committers).submit(command) for command in commands))
    assert await toy.count("events") > 40
    for view in (cards, lines):
        assert await stored(toy, view) == await folded(toy, view)
    for stream_id in ids:
        await toy.history(stream_id)


async def test_an_erasure_blanks_the_persons_columns_and_no_others(toy: Toy) -> None:
    committer = await toy.committer()
    await toy.written(committer, ADA, BOB, text="personal", title="open")
    for stream_id in (ADA, BOB):
        for person in (ADA, BOB):
            await committer.submit(on(stream_id, Remark(person_id=person, remark="personal")))
    await committer.submit(on(ADA, Erase()))
    found = {row["id"]: (row["title"], row["text"]) for row in await toy.rows("SELECT * FROM toy_cards_1")}
    assert found == {ADA: ("open", None), BOB: ("open", "personal")}
    remarks = await toy.rows("SELECT person_id, remark FROM toy_lines_1 WHERE person_id IS NOT NULL")
    assert {(row["person_id"], row["remark"]) for row in remarks} == {(ADA, None), (BOB, "personal")}


async def test_a_row_that_is_deleted_stays_away(toy: Toy) -> None:
    committer = await toy.committer()
    await toy.written(committer, ADA, BOB)
    await asyncio.gather(
        *(committer.submit(on(ADA, command)) for command in (Count(), Retract(), Count())),
        committer.submit(on(BOB, Count())),
    )
    assert set(await stored(toy, cards)) == {BOB}
    await committer.submit(on(ADA, Count()))
    assert set(await stored(toy, cards)) == {BOB}
    assert await toy.count("toy_lines_1") == 7


async def test_a_row_that_begins_and_ends_in_one_batch_was_never_there(toy: Toy) -> None:
    committer = await toy.committer()
    await asyncio.gather(*(committer.submit(on(ADA, command)) for command in (WriteNote(), Retract())))
    assert await stored(toy, cards) == {}
    assert await toy.history(ADA) == ["NoteWritten", "NoteRetracted"]


async def test_facts_of_someone_erased_fold_with_none(toy: Toy) -> None:
    committer = await toy.committer()
    await toy.written(committer, ADA, text="personal")
    answer = await committer.submit(on(ADA, Erase()))
    first, last = (recorded.fact for recorded in answer.facts)
    assert isinstance(first, NoteWritten)
    assert isinstance(last, NoteErased)
    again = await committer.submit(on(ADA, Count()))
    assert again.facts[0].fact.text is None
