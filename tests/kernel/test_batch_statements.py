"""What a batch asks of the database: as many statements for a thousand commands as for one."""

import asyncio
from collections.abc import Sequence
from uuid import UUID, uuid4

import asyncpg
from kernel.storage import log
from kernel.storage.aggregate import Intent
from kernel.storage.batch import Batch
from kernel.testing.toy_note import Label, WriteNote

from tests.kernel.toys import Toy, on

MANY = 1000


async def statements(toy: Toy, connection: asyncpg.Connection, intents: Sequence[Intent]) -> list[str]:
    asked: list[str] = []
    await log.begin(connection)
    with connection.query_logger(lambda told: asked.append(told.query)):
        outcomes = await Batch(connection, toy.catalog, intents).run()
    # The driver tells of a statement in the loop's next turn.
    await asyncio.sleep(0)
    assert not any(isinstance(outcome, Exception) for outcome in outcomes)
    return asked


def written(streams: Sequence[UUID]) -> list[Intent]:
    return [on(stream, WriteNote()) for stream in streams]


def labelled(streams: Sequence[UUID]) -> list[Intent]:
    """Each with a value that nobody else may have, which must be looked for."""
    return [on(stream, Label(label=str(stream))) for stream in streams]


async def test_a_batch_asks_as_much_for_a_thousand_commands_as_for_one(toy: Toy) -> None:
    connection = await toy.connect()
    # The first one of all begins the incarnation and asks which views are live.
    await statements(toy, connection, written([uuid4()]))
    one, many = [uuid4()], [uuid4() for _ in range(MANY)]
    for intents in (written, labelled):
        asked = await statements(toy, connection, intents(one))
        assert await statements(toy, connection, intents(many)) == asked


async def test_what_writes_a_batch_is_not_planned_anew_for_every_batch(toy: Toy) -> None:
    connection = await toy.connect()
    for _ in range(20):
        await statements(toy, connection, written([uuid4() for _ in range(24)]))
    planned = await connection.fetchrow(
        "SELECT sum(custom_plans) AS anew, sum(generic_plans) AS once FROM pg_prepared_statements "
        "WHERE statement LIKE '%INSERT INTO events%'"
    )
    # PostgreSQL tries five times whether the plan for these very values would be better.
    assert planned["anew"] <= 5 < planned["once"]
