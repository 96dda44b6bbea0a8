"""One transaction for whatever waits, an answer only after the commit, and each fault kept to whom it belongs."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from kernel.domain.errors import Invalid, NotFound, Stale
from kernel.testing.toy import limit
from kernel.testing.toy_note import Break, Count, Label, Retract, WriteNote

from tests.kernel.toys import ADA, BOB, Toy, eventually, handled, intent, on, settled, step


async def test_whoever_is_answered_finds_the_events_on_another_connection(toy: Toy) -> None:
    committer = await toy.committer()
    reader = await toy.connect()

    async def write(stream_id: UUID) -> None:
        answer = await committer.submit(on(stream_id, WriteNote(title="here")))
        found = await reader.fetchval("SELECT position FROM events WHERE stream_id = $1", stream_id)
        assert found == answer.position
        assert answer.state.title == "here"

    for _ in range(20):
        await write(uuid4())


async def test_a_commit_that_fails_answers_nobody_with_success(toy: Toy) -> None:
    committer = await toy.committer()
    await toy.rows(
        "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '23514'; END$$"
    )
    await toy.rows(
        "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON events DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    try:
        # The refused one too: its answer may rest on what the others did.
        asked = [on(ADA, WriteNote()), on(BOB, WriteNote()), on(uuid4(), Count())]
        outcomes = await settled(*map(committer.submit, asked))
    finally:
        await toy.rows("DROP TRIGGER late ON events")
    assert [type(outcome).__name__ for outcome in outcomes] == [
        "CheckViolationError",
        "CheckViolationError",
        "NotFound",
    ]
    assert await toy.count("events") == 0
    assert await toy.count("idempotency") == 0


async def test_a_connection_that_ends_before_the_commit_costs_nobody_anything(toy: Toy) -> None:
    committer = await toy.committer()
    async with toy.lock_held() as holder:
        waiting = [asyncio.create_task(committer.submit(on(uuid4(), WriteNote()))) for _ in range(5)]
        await eventually(lambda: someone_waits(toy))
        await holder.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        )
        assert not any(task.done() for task in waiting)
    handled(await settled(*waiting))
    assert await toy.count("events") == 5


async def test_two_commands_on_one_stream_in_one_batch_are_decided_in_order(toy: Toy) -> None:
    committer = await toy.committer()
    async with toy.lock_held():
        first = asyncio.create_task(committer.submit(on(BOB, WriteNote())))
        await eventually(lambda: someone_waits(toy))
        counts = [asyncio.create_task(committer.submit(on(ADA, Count(by=by)))) for by in (1, 2)]
        await asyncio.sleep(0)
        wrote = asyncio.create_task(committer.submit(on(ADA, WriteNote())))
        await asyncio.sleep(0)
        counts += [asyncio.create_task(committer.submit(on(ADA, Count(by=by)))) for by in (3, 4, 5)]
        await asyncio.sleep(0)
    await asyncio.wait([first, wrote, *counts])
    assert [isinstance(task.exception(), NotFound) for task in counts] == [True, True, False, False, False]
    assert [task.result().state.count for task in counts[2:]] == [3, 7, 12]
    assert [task.result().version for task in [wrote, *counts[2:]]] == [1, 2, 3, 4]
    assert await toy.value("SELECT count(DISTINCT xmin::text) FROM events") == 2


async def test_an_expected_version_is_checked_on_the_state_that_the_one_before_left(toy: Toy) -> None:
    committer = await toy.committer()
    await toy.written(committer, ADA)
    outcomes = await settled(*(committer.submit(on(ADA, Count(), expected_version=1)) for _ in range(5)))
    assert [outcome.version for outcome in handled(outcomes[:1])] == [2]
    assert [type(outcome) for outcome in outcomes[1:]] == [Stale] * 4
    (nobody,) = await settled(committer.submit(on(BOB, Count(), expected_version=1)))
    assert isinstance(nobody, NotFound)
    (there,) = await settled(committer.submit(on(ADA, WriteNote(), must_be_new=True)))
    assert isinstance(there, Stale)
    assert there.params["current_etag"] == '"v2"'


async def test_a_refused_intent_leaves_nothing_and_is_decided_anew(toy: Toy) -> None:
    committer = await toy.committer()
    counting = on(ADA, Count(), key="of-the-client")
    refused, other = await settled(committer.submit(counting), committer.submit(on(BOB, WriteNote())))
    assert isinstance(refused, NotFound)
    assert handled([other])
    assert await toy.value("SELECT count(*) FROM idempotency WHERE key = 'of-the-client'") == 0
    await toy.written(committer, ADA)
    again = await committer.submit(replace(counting, command_id=uuid4()))
    assert (again.version, again.replayed) == (2, False)


async def test_a_command_that_changes_nothing_is_remembered_all_the_same(toy: Toy) -> None:
    committer = await toy.committer()
    await toy.written(committer, ADA)
    idle = on(ADA, Label(label=None), key="idle")
    assert (await committer.submit(idle)).version == 1
    await committer.submit(on(ADA, Label(label="meanwhile")))
    again = await committer.submit(replace(idle, command_id=uuid4()))
    assert (again.version, again.state.label, again.replayed) == (1, None, True)
    assert await toy.history(ADA) == ["NoteWritten", "NoteLabelled"]


async def test_a_fault_in_one_commands_code_is_no_fault_of_its_neighbours(toy: Toy) -> None:
    committer = await toy.committer()
    ids = [uuid4() for _ in range(8)]
    asked = [on(i, Break() if n == 3 else WriteNote()) for n, i in enumerate(ids)]
    outcomes = await settled(*map(committer.submit, asked))
    assert isinstance(outcomes.pop(3), ZeroDivisionError)
    handled(outcomes)
    assert await toy.count("idempotency") == 7


@pytest.mark.parametrize("poison", [5_000, 2**40], ids=["refused by the server", "refused by the driver"])
async def test_what_breaks_the_sql_of_a_batch_fails_alone(toy: Toy, poison: int) -> None:
    committer = await toy.committer()
    ids = [uuid4() for _ in range(16)]
    await toy.written(committer, *ids)
    asked = [on(i, Count(by=poison if n in (5, 6) else 1)) for n, i in enumerate(ids)]
    async with asyncio.timeout(5):
        outcomes = await settled(*map(committer.submit, asked))
    failed = [n for n, outcome in enumerate(outcomes) if isinstance(outcome, Exception)]
    assert failed == [5, 6]
    assert await toy.value("SELECT count(*) FROM toy_cards_1 WHERE count = 1") == 14
    assert await toy.count("idempotency") == 30


async def test_a_stream_that_a_newer_release_wrote_fails_alone(toy: Toy) -> None:
    committer = await toy.committer()
    await toy.written(committer, ADA, BOB)
    await toy.rows("UPDATE streams SET category = 'hologram' WHERE stream_id = $1", ADA)
    newer, other = await settled(*(committer.submit(on(i, Count())) for i in (ADA, BOB)))
    assert type(newer).__name__ == "UnknownEvent"
    handled([other])
    await toy.rows("UPDATE streams SET category = 'note' WHERE stream_id = $1", ADA)
    await toy.rows("UPDATE events SET type = 'NoteDreamt' WHERE stream_id = $1", ADA)
    newer, other = await settled(*(committer.submit(on(i, Count())) for i in (ADA, BOB)))
    assert type(newer).__name__ == "UnknownEvent"
    handled([other])


async def test_a_stream_of_another_kind_is_not_there(toy: Toy) -> None:
    committer = await toy.committer()
    await toy.written(committer, ADA)
    (outcome,) = await settled(committer.submit(intent(step(ADA, Count(), limit))))
    assert isinstance(outcome, NotFound)


async def test_steps_are_refused_together_and_leave_nothing(toy: Toy) -> None:
    committer = await toy.committer()
    await toy.written(committer, ADA)
    both = intent(step(ADA, Label(label="taken")), step(BOB, Count()))
    neighbour = on(ADA, Count())
    refused, counted = await settled(committer.submit(both), committer.submit(neighbour))
    assert isinstance(refused, NotFound)
    assert handled([counted])[0].state.label is None
    assert await toy.count("unique_values") == 0
    both = intent(step(BOB, WriteNote(title="second")), step(ADA, Retract()), step(BOB, Count()))
    answer = await committer.submit(both)
    assert (answer.stream_id, answer.version) == (BOB, 2)
    assert await toy.history(ADA) == ["NoteWritten", "NoteCounted", "NoteRetracted"]


async def test_what_lies_slightly_ahead_happened_now_and_what_lies_far_ahead_is_refused(toy: Toy) -> None:
    committer = await toy.committer()
    claimed = datetime.now(UTC) + timedelta(minutes=4)
    (fact,) = (await committer.submit(on(ADA, WriteNote(), occurred_at=claimed))).facts
    assert fact.occurred_at <= fact.recorded_at < claimed
    assert fact.provenance.claimed_at == claimed
    far = datetime.now(UTC) + timedelta(minutes=6)
    (refused,) = await settled(committer.submit(on(BOB, WriteNote(), occurred_at=far)))
    assert isinstance(refused, Invalid)
    past = datetime(1999, 12, 31, tzinfo=UTC)
    (fact,) = (await committer.submit(on(BOB, WriteNote(), occurred_at=past))).facts
    assert (fact.occurred_at, fact.provenance.claimed_at) == (past, None)


async def someone_waits(toy: Toy) -> bool:
    return bool(await toy.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))
