"""Streams read for answers: together in few statements, each with its own outcome."""

import asyncio
from uuid import uuid4

from kernel.storage.keys import KeyUnreadable
from kernel.storage.reading import Streams
from kernel.testing.toy_note import Count, Remark

from tests.kernel.toys import Toy, on

MANY = 200


async def test_who_asks_at_once_gets_his_own_stream_or_nothing(toy: Toy) -> None:
    committer = await toy.committer()
    there = [uuid4() for _ in range(MANY)]
    await toy.written(committer, *there)
    await asyncio.gather(*(committer.submit(on(stream_id, Count(by=1))) for stream_id in there[::3]))
    streams = Streams(toy.database, toy.catalog)
    # Twice each, and as many that are not there in between.
    asked = [stream_id for known in there for stream_id in (known, uuid4(), known)]
    found = await asyncio.gather(*(streams.facts(stream_id) for stream_id in asked))
    written = {stream_id: 1 + (n % 3 == 0) for n, stream_id in enumerate(there)}
    for stream_id, facts in zip(asked, found, strict=True):
        assert [fact.stream_id for fact in facts] == [stream_id] * written.get(stream_id, 0)
        assert [fact.version for fact in facts] == list(range(1, len(facts) + 1))


async def test_many_at_once_are_a_few_statements(toy: Toy) -> None:
    streams = Streams(toy.database, toy.catalog)
    asked: list[str] = []
    # A connection's first statement of all asks what its types are.
    await streams.facts(uuid4())
    async with toy.database.reading() as connection:
        # The pool gives the one that it got back last.
        connection.add_query_logger(log := lambda told: asked.append(told.query))
    try:
        await asyncio.gather(*(streams.facts(uuid4()) for _ in range(50)))
        await asyncio.sleep(0)
        assert len(asked) == 1
    finally:
        async with toy.database.reading() as connection:
            connection.remove_query_logger(log)


async def test_a_fact_that_does_not_open_is_no_fault_of_its_neighbours(toy: Toy) -> None:
    committer = await toy.committer()
    good, bad = uuid4(), uuid4()
    await toy.written(committer, good, bad)
    for stream_id in (good, bad):
        await committer.submit(on(stream_id, Remark(person_id=stream_id, remark="secret")))
    # A wrapped key of a master key that nobody has.
    await toy.rows(
        "UPDATE person_keys SET wrapped_key = set_byte(wrapped_key, 0, 250) WHERE person_id = $1", bad
    )
    streams = Streams(toy.database, toy.catalog)
    found = await asyncio.gather(*map(streams.facts, (good, bad, good)), return_exceptions=True)
    assert isinstance(found[1], KeyUnreadable)
    for facts in (found[0], found[2]):
        assert not isinstance(facts, BaseException)
        assert facts[-1].fact.remark == "secret"


async def test_who_goes_away_leaves_the_others_their_answer(toy: Toy) -> None:
    committer = await toy.committer()
    stream_id = uuid4()
    await toy.written(committer, stream_id)
    streams = Streams(toy.database, toy.catalog)
    leaving, staying = (asyncio.create_task(streams.facts(stream_id)) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    assert len(await staying) == 1


async def test_without_a_database_every_reader_is_told(toy: Toy) -> None:
    await toy.database.close()
    nowhere = type(toy.database)(toy.url.replace(toy.name, "nowhere"))
    found = await asyncio.gather(
        *(Streams(nowhere, toy.catalog).facts(uuid4()) for _ in range(3)), return_exceptions=True
    )
    assert all(isinstance(one, Exception) for one in found)
