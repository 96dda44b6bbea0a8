"""A version of a view compared with a fold that shares nothing with its writer but the view's own functions.

The writer reads streams and keeps differences; here everything is heard in the order of positions, and summed.
Held in memory are the cells, and the states of one share of the entities.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice, zip_longest
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from kernel.messaging.cells import SEPARATOR, AnyCells, CellKey, Heard, Numbers, Unreadable, fold
from kernel.messaging.rereading import Rereading
from kernel.storage.database import Connection

# A stream stands still from the first of its records that is parked.
_PARKED = (
    "SELECT stream_id, min(position) AS first FROM parked WHERE follower = $1 AND version = $2 GROUP BY 1"
)
_MOST_STATES = 20_000
_AT_ONCE = 2_000


async def differences(
    connection: Connection, view: AnyCells, log: Rereading, zone: ZoneInfo, version: int, upto: int
) -> int:
    """How many states and cells are not what they should be, or should not be there."""
    states_table, cells_table = view.tables(version)
    parked = {row["stream_id"]: row["first"] for row in await connection.fetch(_PARKED, view.name, version)}
    unaccounted: int = await connection.fetchval(f'SELECT count(*) FROM "{states_table}"')
    shares = unaccounted // _MOST_STATES + 1
    different = 0
    sums: dict[str, Numbers] = {}
    for share in range(shares):
        states: dict[UUID, Any] = {}
        async with connection.transaction():
            async for heard in log.share(connection, upto, share, shares):
                fold(view, _flowing(heard, parked), states)
        for state in states.values():
            _add(sums, view.contribute(state, zone))
        found, equal = await _compare(connection, view, states_table, states)
        unaccounted -= found
        different += len(states) - equal
    async with connection.transaction():
        async for row in connection.cursor(f'SELECT key, numbers FROM "{cells_table}"', prefetch=_AT_ONCE):
            different += sums.pop(row["key"], None) != tuple(row["numbers"])
    return different + unaccounted + sum(any(numbers) for numbers in sums.values())


def _flowing(heard: Sequence[Heard], parked: Mapping[UUID, int]) -> Iterable[Heard]:
    return (
        record
        for record in heard
        if (record.stream_id not in parked or record.position < parked[record.stream_id])
        and not isinstance(record.fact, Unreadable)
    )


def _add(sums: dict[str, Numbers], cells: Mapping[CellKey, Numbers]) -> None:
    for cell, numbers in cells.items():
        key = SEPARATOR.join(cell)
        held = sums.get(key)
        if held is None:
            sums[key] = numbers
        else:
            sums[key] = tuple([a + b for a, b in zip_longest(held, numbers, fillvalue=0)])


async def _compare(
    connection: Connection, view: AnyCells, table: str, states: Mapping[UUID, Any]
) -> tuple[int, int]:
    """How many of these states the table has, and how many of them are equal."""
    found = equal = 0
    ids = iter(states)
    while some := list(islice(ids, _AT_ONCE)):
        rows = await connection.fetch(f'SELECT id, state FROM "{table}" WHERE id = ANY($1::uuid[])', some)
        found += len(rows)
        equal += sum(view.adapter.validate_json(row["state"]) == states[row["id"]] for row in rows)
    return found, equal
