"""How an answer is made: from the kept cells where they serve, from the states or the log where not; never different.

Everything that one answer reads, rows and position alike, comes from one snapshot of the database.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from kernel.messaging import cells as kernel_cells
from kernel.messaging.cells import SEPARATOR
from kernel.messaging.received import Received
from kernel.messaging.service import Node
from kernel.storage.catalog import ViewUnknown
from kernel.storage.database import Connection

from analytics.semantics import Cells
from analytics.views import sources

State = TypeVar("State")

_STANDING = """
SELECT coalesce((SELECT max(position) FROM received), 0) AS position, clock_timestamp() AS now,
       (SELECT count(DISTINCT (source, stream_id)) FROM parked) AS parked
"""
# A source is complete up to the oldest of its partitions; on the feed there is one.
_COMPLETE = """
SELECT source, min(complete_at) AS complete_at FROM checkpoints
WHERE follower = 'analytics' AND complete_at IS NOT NULL GROUP BY source
"""
_LIVE = "SELECT version, shape, parameters FROM views WHERE name = $1 AND live"


@dataclass(frozen=True, slots=True)
class Standing:
    """What an answer knew: analytics' own position, and since when it may lack something of a source."""

    position: int
    now: datetime
    complete_at: datetime | None
    parked: int


class Knowledge:
    """One snapshot. `upto` is a position that the caller named; without one, all that is there."""

    def __init__(self, connection: Connection, standing: Standing, upto: int | None) -> None:
        self._connection = connection
        self.standing = standing
        self.upto = upto if upto is not None and upto < standing.position else None

    @property
    def position(self) -> int:
        return self.upto if self.upto is not None else self.standing.position

    async def cells(self, view: kernel_cells.Cells[State], *prefixes: Sequence[str]) -> Cells:
        """The kept cells under these prefixes; only for the present position and the company's zone."""
        _, table = view.tables(await self._version(view))
        found: Cells = {}
        for prefix in prefixes:
            low = SEPARATOR.join(prefix) + SEPARATOR
            high = low[:-1] + chr(ord(SEPARATOR) + 1)
            rows = await self._connection.fetch(
                f'SELECT key, numbers FROM "{table}" WHERE key >= $1 AND key < $2', low, high
            )
            found.update((tuple(row["key"].split(SEPARATOR)), tuple(row["numbers"])) for row in rows)
        return found

    async def states(self, view: kernel_cells.Cells[State]) -> dict[UUID, State]:
        """Every entity's state at the position: from the table, or folded again from the log."""
        if self.upto is None:
            table, _ = view.tables(await self._version(view))
            rows = await self._connection.fetch(f'SELECT id, state FROM "{table}"')
            return {row["id"]: view.adapter.validate_json(row["state"]) for row in rows}
        states: dict[UUID, State] = {}
        async for page in Received(sources).read(self._connection, upto=self.upto):
            for heard in page:
                key = view.key(heard)
                if key is not None:
                    states[key] = view.project(states.get(key, view.initial), heard)
        return states

    async def state(self, view: kernel_cells.Cells[State], key: UUID) -> State | None:
        """One entity's state; at a named position it is folded from the entity's own records."""
        if self.upto is not None:
            return (await self.states(view)).get(key)
        table, _ = view.tables(await self._version(view))
        found = await self._connection.fetchval(f'SELECT state FROM "{table}" WHERE id = $1', key)
        return None if found is None else view.adapter.validate_json(found)

    async def _version(self, view: kernel_cells.Cells[State]) -> int:
        row = await self._connection.fetchrow(_LIVE, view.name)
        if row is None or row["shape"] != view.shape:
            raise ViewUnknown(f"view {view.name} is not live in a shape that this release knows")
        return int(row["version"])


@asynccontextmanager
async def knowledge(node: Node, upto: int | None = None) -> AsyncIterator[Knowledge]:
    async with (
        node.database.reading() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        row = await connection.fetchrow(_STANDING)
        complete = {found["source"]: found["complete_at"] for found in await connection.fetch(_COMPLETE)}
        known = min(complete.values()) if complete.keys() >= sources.keys() else None
        yield Knowledge(connection, Standing(row["position"], row["now"], known, row["parked"]), upto)


def lag_ms(standing: Standing) -> int | None:
    """How old the newest moment is for which every source is known to be complete."""
    if standing.complete_at is None:
        return None
    return max(0, int((standing.now - standing.complete_at).total_seconds() * 1000))


def company_zone(node: Node) -> ZoneInfo:
    return ZoneInfo(node.settings.zone)
