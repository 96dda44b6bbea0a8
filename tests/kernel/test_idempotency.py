"""One key is one event, whoever sends it, however often, and wherever the connection breaks."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from kernel.domain.errors import Conflict, Invalid
from kernel.testing.servers import temporary_folder
from kernel.testing.toy_note import Count, WriteNote

from tests.kernel.proxy import COMMIT, Wire, wired
from tests.kernel.toys import ADA, BOB, Toy, handled, on, settled

ROOT = Path(__file__).resolve().parents[2]


async def test_one_key_sent_to_many_committers_at_once_is_one_event(toy: Toy) -> None:
    committers = [await toy.committer() for _ in range(4)]
    first = on(ADA, WriteNote(title="once"), key="one", status=201)
    asked = [replace(first, command_id=uuid4()) for _ in range(20)]
    # Within one process, the second is told that the first is under way.
    outcomes = await settled(*(committers[n % 4].submit(one) for n, one in enumerate(asked)))
    answers = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, Conflict)]
    assert (len(answers), len(refused)) == (4, 16)
    assert {refusal.code for refusal in refused} == {"IDEMPOTENCY_KEY_IN_USE"}
    assert sorted(answer.replayed for answer in answers) == [False, True, True, True]
    assert len({(a.version, a.position, a.state, a.status, tuple(a.facts)) for a in answers}) == 1
    assert await toy.history(ADA) == ["NoteWritten"]


async def test_one_key_sent_to_two_processes_at_once_is_one_event(toy: Toy) -> None:
    keys = [f"key-{n}" for n in range(20)]
    processes = [await _sender(toy.url, keys) for _ in range(2)]
    said = [(await process.communicate())[0].decode().split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    for answers in zip(*said, strict=True):
        versions, replayed = zip(*(answer.split(":") for answer in answers), strict=True)
        assert len(set(versions)) == 1
        assert sorted(replayed) == ["False", "True"]
    assert await toy.count("events") == 20


async def _sender(url: str, keys: list[str]) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "tests.kernel.sender", url, *keys]
    return await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, cwd=ROOT)


async def test_a_key_is_one_persons_and_one_requests(toy: Toy) -> None:
    committer = await toy.committer()
    await committer.submit(on(ADA, WriteNote(), key="one"))
    await committer.submit(on(BOB, WriteNote(), key="one", actor="somebody else"))
    (refused,) = await settled(
        committer.submit(on(ADA, WriteNote(title="x"), key="one", fingerprint=b"other"))
    )
    assert isinstance(refused, Invalid)
    assert refused.code == "IDEMPOTENCY_KEY_REUSED"
    assert await toy.count("events") == 2


async def test_a_replay_answers_with_the_state_of_then(toy: Toy) -> None:
    committer = await toy.committer()
    await toy.written(committer, ADA)
    counting = on(ADA, Count(by=2), key="two", expected_version=1)
    first = await committer.submit(counting)
    await committer.submit(on(ADA, Count(by=40)))
    again = await committer.submit(replace(counting, command_id=uuid4()))
    assert (again.state, again.version, again.position) == (first.state, 2, first.position)
    assert (first.replayed, again.replayed) == (False, True)


@pytest.fixture
async def cut(toy: Toy) -> AsyncIterator[tuple[Wire, Toy]]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(temporary_folder()))
        wire, database = await stack.enter_async_context(wired(toy.dsn, folder))
        toy.through = await toy.committer(database)
        yield wire, toy
        await toy.through.stop()


@pytest.mark.parametrize("moment", ["after", "before"])
async def test_a_connection_cut_around_the_commit_doubles_nothing_and_loses_nothing(
    cut: tuple[Wire, Toy], moment: str
) -> None:
    wire, toy = cut
    await toy.written(toy.through, ADA)
    setattr(wire, moment, COMMIT)
    ids: list[UUID] = [uuid4() for _ in range(5)]
    asked = [*(on(i, WriteNote()) for i in ids), on(ADA, Count(), expected_version=1)]
    answers = handled(await settled(*map(toy.through.submit, asked)))
    assert wire.cuts == 1
    assert [answer.replayed for answer in answers] == [False] * 6
    assert [answer.version for answer in answers] == [1, 1, 1, 1, 1, 2]
    assert await toy.count("events") == 7
    assert await toy.count("idempotency") == 7


async def test_a_connection_cut_at_every_statement_doubles_nothing_and_loses_nothing(
    cut: tuple[Wire, Toy],
) -> None:
    wire, toy = cut
    await toy.written(toy.through, BOB, text="personal")
    moments = [b"pg_advisory_xact_lock", b"INSERT INTO events", b"INSERT INTO idempotency", b"toy_cards_1"]
    for n, moment in enumerate(moments):
        for where in ("before", "after"):
            # A statement is sent by its name once it has been prepared, so each begins on a new connection.
            toy.through._drop_connection()
            setattr(wire, where, moment)
            assert (await toy.through.submit(on(BOB, Count()))).state.count == n * 2 + (where == "after") + 1
    assert wire.cuts == 2 * len(moments)
    assert len(await toy.history(BOB)) == 1 + 2 * len(moments)
