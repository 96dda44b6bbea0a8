"""How an answer is made: from the kept cells where they serve, from the states or the log where not; never different.

Everything that one answer reads, rows and position alike, comes from one snapshot of the database.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from kernel.messaging import cells as kernel_cells
from kernel.messaging.cells import SEPARATOR, fold
from kernel.messaging.received import HEAD, Received
from kernel.messaging.service import Node
from kernel.storage.catalog import ViewUnknown
from kernel.storage.database import Connection

from analytics.asking import PositionQuery, refuse
from analytics.semantics import Cells
from analytics.turns import Turns
from analytics.views import sources, views

State = TypeVar("State")

_STANDING = f"""
SELECT ({HEAD}) AS position, clock_timestamp() AS now,
       (SELECT count(DISTINCT (p.source, p.stream_id)) FROM parked AS p
        JOIN views AS v ON v.name = p.follower AND v.version = p.version AND v.live) AS parked
"""
_HEARD_AT = "SELECT received_at FROM received WHERE position <= $1 ORDER BY position DESC LIMIT 1"
# Each source up to the oldest of its partitions, or up to where its feed is, which is in order over all of them.
COMPLETE = """
SELECT source, greatest(max(complete_at) FILTER (WHERE partition < 0),
                        CASE WHEN bool_and(partition < 0 OR complete_at IS NOT NULL)
                             THEN min(complete_at) FILTER (WHERE partition >= 0) END) AS complete_at,
       greatest(max(position) FILTER (WHERE partition < 0), min(position) FILTER (WHERE partition >= 0)) AS position
FROM checkpoints WHERE follower = 'analytics' AND version = 1 GROUP BY source
"""
_LIVE = "SELECT version, shape, parameters FROM views WHERE name = $1 AND live"
_PREFETCH = 1000
# Of six connections that read, two are never waited for by these.
_long = Turns(at_once=2, at_most=4)
# What a view's own code may raise, as in the kernel's projection: its stream is parked, the others flow.
_OF_THE_VIEW = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class Standing:
    """What an answer knew: analytics' own position, and since when it may lack something of a source."""

    position: int
    now: datetime
    complete_at: datetime | None
    parked: int


class Knowledge:
    """One snapshot. `upto` is a position that the caller named; without one, all that is there.

    `now` is the moment from which the answer looks back: the database's clock, when the named position was heard,
    or the time that the caller named with it.
    """

    def __init__(
        self,
        connection: Connection,
        standing: Standing,
        now: datetime,
        upto: int | None,
        *,
        kept: bool,
        until_answered: AsyncExitStack,
    ) -> None:
        self.connection = connection
        self.standing = standing
        self.now = now
        self.upto = upto if upto is not None and upto < standing.position else None
        self._kept = kept
        self._until_answered = until_answered
        self._long = False
        self._folded: Mapping[str, Mapping[UUID, Any]] | None = None

    @property
    def position(self) -> int:
        return self.upto if self.upto is not None else self.standing.position

    async def keeps(self, view: kernel_cells.Cells[State], zone: ZoneInfo) -> bool:
        """Whether the kept cells may answer: at the present position, for the zone whose days they hold."""
        if self.upto is not None or not self._kept:
            return False
        _, parameters = await self._live(view)
        return parameters in ("", zone.key)

    async def cells(
        self,
        view: kernel_cells.Cells[State],
        prefix: Sequence[str],
        between: tuple[str, str] | None = None,
    ) -> Cells:
        """The kept cells under this prefix; `between` bounds the part of the key that follows it."""
        version, _ = await self._live(view)
        low = high = SEPARATOR.join(prefix) + SEPARATOR
        if between is None:
            high = low[:-1] + chr(ord(SEPARATOR) + 1)
        else:
            low, high = low + between[0], high + between[1]
        rows = await self.connection.fetch(
            f'SELECT key, numbers FROM "{view.tables(version)[1]}" WHERE key >= $1 AND key < $2', low, high
        )
        return {tuple(row["key"].split(SEPARATOR)): tuple(row["numbers"]) for row in rows}

    async def states(self, view: kernel_cells.Cells[State], *, few: bool = False) -> Mapping[UUID, State]:
        """Every entity's state at the position: from the table, or folded again from the log.

        Raises `Overloaded` when too many ask for that, unless there are `few` of them and they are in the table.
        """
        if not self._long and not (few and self.upto is None):
            await self._until_answered.enter_async_context(_long.turn())
            self._long = True
        if self.upto is None:
            version, _ = await self._live(view)
            rows = self.connection.cursor(
                f'SELECT id, state FROM "{view.tables(version)[0]}"', prefetch=_PREFETCH
            )
            load = view.adapter.validate_json
            return {row["id"]: load(row["state"]) async for row in rows}
        if self._folded is None:
            self._folded = await self._fold(self.upto)
        return self._folded[view.name]

    async def _fold(self, upto: int) -> Mapping[str, Mapping[UUID, Any]]:
        """One pass over the log for all views; a stream that a view cannot take stays as it was before."""
        folded: dict[str, dict[UUID, Any]] = {view.name: {} for view in views}
        blocked: set[tuple[str, UUID]] = set()
        async for page in Received(sources).read(self.connection, upto=upto):
            for view in views:
                states = folded[view.name]
                for heard in view.heard(page):
                    if (view.name, heard.stream_id) in blocked:
                        continue
                    try:
                        fold(view, [heard], states)
                    except _OF_THE_VIEW:
                        blocked.add((view.name, heard.stream_id))
        return folded

    async def _live(self, view: kernel_cells.Cells[State]) -> tuple[int, str]:
        row = await self.connection.fetchrow(_LIVE, view.name)
        if row is None or row["shape"] != view.shape:
            raise ViewUnknown(f"view {view.name} is not live in a shape that this release knows")
        return int(row["version"]), row["parameters"]


@asynccontextmanager
async def knowledge(
    node: Node, asked: PositionQuery | None = None, *, kept: bool = True
) -> AsyncIterator[Knowledge]:
    """`kept=False` leaves the cells aside and answers from the states: slower, and never different."""
    async with (
        node.database.reading() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
        AsyncExitStack() as until_answered,
    ):
        row = await connection.fetchrow(_STANDING)
        asked = asked or PositionQuery()
        now = await _looked_back_from(connection, row["position"], row["now"], asked)
        complete = {found["source"]: found["complete_at"] for found in await connection.fetch(COMPLETE)}
        times = [complete.get(source) for source in sources]
        known = None if None in times else min(at for at in times if at is not None)
        standing = Standing(row["position"], row["now"], known, row["parked"])
        yield Knowledge(
            connection, standing, now, asked.as_of_position, kept=kept, until_answered=until_answered
        )


async def _looked_back_from(
    connection: Connection, newest: int, clock: datetime, asked: PositionQuery
) -> datetime:
    upto, at = asked.as_of_position, asked.as_of_time
    if upto is None:
        if at is not None:
            refuse("as_of_time", "not_applicable", "it goes with the `as_of_position` of the same answer")
        return clock
    if upto > newest:
        refuse("as_of_position", "out_of_range", f"nothing was heard after {newest} yet")
    heard_at: datetime | None = await connection.fetchval(_HEARD_AT, upto)
    if at is None:
        return clock if heard_at is None or upto == newest else heard_at
    if at > clock:
        refuse("as_of_time", "out_of_range", "nobody looks back from the future")
    if heard_at is not None and at < heard_at:
        refuse("as_of_time", "out_of_range", f"position {upto} was not heard before {heard_at.isoformat()}")
    return at


def lag_ms(now: datetime, complete_at: datetime | None) -> int | None:
    """How old the newest moment is up to which everything is known; None while that is not known."""
    return None if complete_at is None else max(0, int((now - complete_at).total_seconds() * 1000))


def company_zone(node: Node) -> ZoneInfo:
    return ZoneInfo(node.settings.zone)
