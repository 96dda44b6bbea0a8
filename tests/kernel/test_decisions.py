"""What intents of one batch owe each other: unique values, rules, erased persons, and the weight of the batch."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from kernel.domain.errors import Conflict
from kernel.domain.ids import new_id
from kernel.storage import decisions
from kernel.storage.aggregate import AnyHandled, Intent
from kernel.storage.committer import Committer
from kernel.testing.toy import SetLimit
from kernel.testing.toy_note import Count, Erase, Label, Remark, WriteNote

from tests.kernel.toys import ADA, BOB, Toy, eventually, handled, intent, limited, on, settled, step


async def together(toy: Toy, committer: Committer, *intents: Intent) -> list[AnyHandled | BaseException]:
    """All in one batch, in this order: they wait while somebody else holds the lock."""
    async with toy.lock_held():
        first = asyncio.create_task(committer.submit(on(uuid4(), WriteNote())))
        await eventually(lambda: _someone_waits(toy))
        tasks = [asyncio.create_task(committer.submit(one)) for one in intents]
        await asyncio.sleep(0.01)
    await first
    return await settled(*tasks)


async def _someone_waits(toy: Toy) -> bool:
    return bool(await toy.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))


def codes(outcomes: list[Any]) -> list[str]:
    return [getattr(outcome, "code", "done") for outcome in outcomes]


async def test_of_two_that_want_one_value_in_one_batch_the_first_has_it(toy: Toy) -> None:
    committer = await toy.committer()
    await toy.written(committer, ADA, BOB)
    wanted = [on(ADA, Label(label="one")), on(BOB, Label(label="one")), on(BOB, Label(label="two"))]
    assert codes(await together(toy, committer, *wanted)) == ["done", "DUPLICATE", "done"]
    (later,) = await settled(committer.submit(on(uuid4(), WriteNote())))
    third = handled([later])[0].stream_id
    (refused,) = await settled(committer.submit(on(third, Label(label="two"))))
    assert isinstance(refused, Conflict)
    assert refused.params["field"] == "label"


async def test_a_value_that_is_given_up_is_free_within_the_same_batch(toy: Toy) -> None:
    committer = await toy.committer()
    await toy.written(committer, ADA, BOB)
    await committer.submit(on(ADA, Label(label="one")))
    swapping = [on(ADA, Label(label="two")), on(BOB, Label(label="one")), on(ADA, Label(label="one"))]
    assert codes(await together(toy, committer, *swapping)) == ["done", "done", "DUPLICATE"]
    held = await toy.rows("SELECT stream_id FROM unique_values")
    assert sorted(str(row["stream_id"]) for row in held) == sorted(map(str, (ADA, BOB)))


@pytest.mark.parametrize("giving_first", [True, False])
async def test_a_value_handed_over_within_one_intent_stays_taken(toy: Toy, giving_first: bool) -> None:
    committer = await toy.committer()
    await toy.written(committer, ADA, BOB)
    await committer.submit(on(ADA, Label(label="one")))
    steps = [step(ADA, Label(label=None)), step(BOB, Label(label="one"))]
    handled([await committer.submit(intent(*(steps if giving_first else reversed(steps))))])
    assert await toy.value("SELECT stream_id FROM unique_values") == BOB


async def test_one_intent_cannot_give_one_value_to_two_streams(toy: Toy) -> None:
    committer = await toy.committer()
    await toy.written(committer, ADA, BOB)
    both = intent(step(ADA, Label(label="one")), step(BOB, Label(label="one")))
    (refused,) = await settled(committer.submit(both))
    assert isinstance(refused, Conflict)


async def test_a_stream_is_decided_under_the_rules_that_the_same_batch_has_just_made(toy: Toy) -> None:
    committer = await toy.committer()
    rules = new_id()
    await toy.written(committer, ADA, limit_id=rules)
    both = [on(ADA, Count(by=4)), limited(rules, SetLimit(most=5)), on(ADA, Count(by=2)), on(ADA, Count())]
    assert codes(await together(toy, committer, *both)) == ["done", "done", "OVER_LIMIT", "done"]
    assert codes(await settled(committer.submit(on(ADA, Count())))) == ["OVER_LIMIT"]


@pytest.mark.parametrize(
    "in_one_batch",
    [
        False,
        True,
    ],
)
async def test_rules_of_another_kind_count_as_none(toy: Toy, in_one_batch: bool) -> None:
    committer = await toy.committer()
    await toy.written(committer, BOB)
    await toy.written(committer, ADA, limit_id=BOB)
    asked = [on(BOB, Label(label="the rules")), on(ADA, Count())]
    if in_one_batch:
        handled(await together(toy, committer, *asked))
    else:
        handled([await committer.submit(one) for one in asked])


async def test_nothing_personal_is_written_about_someone_erased(toy: Toy) -> None:
    committer = await toy.committer()
    await toy.written(committer, ADA, text="about Ada")
    await toy.written(committer, BOB)
    await committer.submit(on(BOB, Remark(person_id=ADA, remark="Ada said so")))
    outcomes = await together(
        toy,
        committer,
        on(BOB, Remark(person_id=ADA, remark="a last word")),
        on(ADA, Erase()),
        on(BOB, Remark(person_id=ADA, remark="too late")),
        on(ADA, Count()),
        on(BOB, Count()),
    )
    assert codes(outcomes) == ["done", "done", "PERSON_ERASED", "done", "done"]
    assert codes(await settled(committer.submit(on(BOB, Remark(person_id=ADA, remark="no"))))) == [
        "PERSON_ERASED"
    ]
    (key,) = await toy.rows("SELECT wrapped_key, shredded_at FROM person_keys WHERE person_id = $1", ADA)
    assert (key["wrapped_key"], key["shredded_at"] is None) == (None, False)
    remarks = await toy.rows("SELECT remark FROM toy_lines_1 WHERE kind = 'NoteRemarked'")
    assert [row["remark"] for row in remarks] == [None, None]
    assert await toy.value("SELECT text FROM toy_cards_1 WHERE id = $1", ADA) is None
    answer = await committer.submit(on(ADA, Count()))
    assert (answer.state.text, answer.facts[0].fact.text) == (None, None)


async def test_an_intent_that_erases_cannot_speak_of_the_person_afterwards(toy: Toy) -> None:
    committer = await toy.committer()
    await toy.written(committer, ADA, BOB)
    telling, erasing = step(BOB, Remark(person_id=ADA, remark="she said")), step(ADA, Erase())
    (refused,) = await settled(committer.submit(intent(erasing, telling)))
    assert codes([refused]) == ["PERSON_ERASED"]
    handled([await committer.submit(intent(telling, erasing))])
    assert await toy.count("person_keys") == 1


async def test_someone_erased_who_never_had_a_key_gets_none(toy: Toy) -> None:
    committer = await toy.committer()
    await toy.written(committer, ADA, BOB)
    await committer.submit(on(ADA, Erase()))
    (refused,) = await settled(committer.submit(on(BOB, Remark(person_id=ADA, remark="no"))))
    assert codes([refused]) == ["PERSON_ERASED"]


async def test_a_replay_after_the_erasure_shows_nothing_personal(toy: Toy) -> None:
    committer = await toy.committer()
    first = on(ADA, WriteNote(text="a secret"), key="first")
    assert (await committer.submit(first)).state.text == "a secret"
    await committer.submit(on(ADA, Erase()))
    again = await committer.submit(first)
    assert (again.version, again.state.title, again.state.text) == (1, "A note", None)


async def test_a_batch_too_heavy_goes_on_in_the_next_one(toy: Toy) -> None:
    committer = await toy.committer()
    ids = [uuid4() for _ in range(10)]
    heavy = [on(i, WriteNote(text="x" * 1000), weight=1_500_000) for i in ids]
    handled(await together(toy, committer, *heavy))
    assert (
        await toy.value("SELECT count(DISTINCT xmin::text) FROM events WHERE stream_id = ANY($1)", ids) >= 4
    )
    # Now it is what the streams weigh that matters, not the commands.
    handled(await together(toy, committer, *(on(i, Count()) for i in ids)))
    found = "SELECT count(DISTINCT xmin::text) FROM events WHERE stream_id = ANY($1) AND version = 2"
    assert await toy.value(found, ids) >= 4


async def test_commands_that_are_postponed_keep_their_order(toy: Toy) -> None:
    committer = await toy.committer()
    ids: list[UUID] = [uuid4() for _ in range(6)]
    await toy.written(committer, *ids)
    await toy.rows("UPDATE streams SET bytes = 3000000")
    handled(await together(toy, committer, *(on(i, Count()) for i in ids)))
    order = await toy.rows("SELECT stream_id FROM events WHERE type = 'NoteCounted' ORDER BY position")
    assert [row["stream_id"] for row in order] == ids


async def test_a_history_that_is_too_long_to_be_folded_each_time_takes_nothing_but_its_erasure(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decisions, "MOST_OF_ONE_STREAM", 5_000)
    committer = await toy.committer()
    await toy.written(committer, ADA, BOB)
    outcomes = [
        (await settled(committer.submit(on(ADA, Remark(person_id=BOB, remark="x" * 1000)))))[0]
        for _ in range(8)
    ]
    done = codes(outcomes).count("done")
    assert codes(outcomes) == ["done"] * done + ["HISTORY_FULL"] * (8 - done)
    assert 1 < done < 8
    (refused,) = await settled(committer.submit(on(ADA, Count())))
    assert isinstance(refused, Conflict)
    handled(await settled(committer.submit(on(BOB, Count())), committer.submit(on(ADA, Erase()))))
