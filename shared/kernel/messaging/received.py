"""Analytics' own log: every record it hears, stored once at a local position, append-only."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from pydantic_core import to_json

from kernel.messaging.cells import AnyCells, Heard, Unreadable
from kernel.messaging.records import Contracts, PublicRecord
from kernel.messaging.tracker import Withdrawal
from kernel.storage.database import Connection

_STORE = """
INSERT INTO received (source, incarnation, source_position, event_id, stream_id, version, type, data, occurred_at,
                      recorded_at)
SELECT source, incarnation, source_position, event_id, stream_id, version, type, data::jsonb, occurred_at, recorded_at
FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::uuid[], $5::uuid[], $6::int[], $7::text[], $8::text[],
            $9::timestamptz[], $10::timestamptz[]) WITH ORDINALITY
     AS given(source, incarnation, source_position, event_id, stream_id, version, type, data, occurred_at, recorded_at,
              place)
ORDER BY place
ON CONFLICT (source, incarnation, source_position) DO NOTHING
RETURNING position, source, incarnation, source_position
"""
_WITHDRAW = """
INSERT INTO withdrawn (position, source, incarnation, from_position, counting)
VALUES (nextval(pg_get_serial_sequence('received', 'position')), $1, $2, $3, $4::uuid[])
ON CONFLICT (source, incarnation) DO UPDATE SET position = excluded.position, counting = excluded.counting,
    from_position = least(withdrawn.from_position, excluded.from_position)
RETURNING from_position
"""
COLUMNS = "position, source, event_id, stream_id, version, type, data, occurred_at, recorded_at"
# What still counts as of local position $2. A withdrawal names the incarnations that count above its position: of
# all that had been heard of the source by then, what lies above and is of none of them was never to be.
COUNTS = """NOT EXISTS (
    SELECT FROM withdrawn AS w WHERE w.source = r.source AND r.incarnation <> ALL (w.counting)
    AND r.source_position > w.from_position AND r.position <= w.position AND w.position <= $2)
"""
COUNTING = f"FROM received AS r WHERE position > $1 AND position <= $2 AND {COUNTS}"
_ABOVE = "SELECT count(*) FROM received WHERE source = $1 AND source_position > $2"
_READ = f"SELECT {COLUMNS} {COUNTING} ORDER BY position LIMIT $3"
_AT = f"SELECT {COLUMNS} FROM received WHERE position = ANY($1::bigint[]) ORDER BY position"
# Where analytics stands: at its newest record, or at a withdrawal since.
HEAD = """
SELECT greatest(coalesce((SELECT max(position) FROM received), 0), coalesce((SELECT max(position) FROM withdrawn), 0))
"""
PAGE = 2000


class Received:
    """`contracts` by source: what each one's types mean. A type that nobody here knows is stored and not shown."""

    def __init__(self, contracts: Mapping[str, Contracts]) -> None:
        self._contracts = {name: known for known in contracts.values() for name in known.types}

    async def store(self, connection: Connection, records: Sequence[PublicRecord]) -> list[Heard]:
        """Appends under the log's lock; answers those that views can understand, with their local positions.

        A record that is stored already (a reader has lost its place) is not stored, nor answered, again.
        """
        bodies = [to_json(record.data).decode() for record in records]
        rows = await connection.fetch(
            _STORE,
            [record.source for record in records],
            [record.incarnation for record in records],
            [record.position for record in records],
            [record.event_id for record in records],
            [record.stream_id for record in records],
            [record.version for record in records],
            [record.type for record in records],
            bodies,
            [record.occurred_at for record in records],
            [record.recorded_at for record in records],
        )
        places = {(r["source"], r["incarnation"], r["source_position"]): r["position"] for r in rows}
        heard = []
        for record, body in zip(records, bodies, strict=True):
            place = places.get((record.source, record.incarnation, record.position))
            fact = None if place is None else self._fact(record.type, body)
            if place is not None and fact is not None:
                heard.append(
                    Heard(
                        record.source,
                        place,
                        record.event_id,
                        record.stream_id,
                        record.version,
                        fact,
                        record.occurred_at,
                        record.recorded_at,
                    )
                )
        return heard

    async def withdraw(self, connection: Connection, withdrawal: Withdrawal) -> int:
        """Takes a position of its own, so that answers as of an earlier one stay as they were.

        Answers the source's position below which nothing has changed.
        """
        place = withdrawal.place
        given = (withdrawal.source, place.incarnation, place.position, list(place.counting))
        return int(await connection.fetchval(_WITHDRAW, *given))

    async def above(self, connection: Connection, source: str, place: int) -> int:
        """How many records of a source, of any of its histories, lie above a place of it."""
        return int(await connection.fetchval(_ABOVE, source, place))

    async def read(
        self, connection: Connection, *, after: int = 0, upto: int = 2**62
    ) -> AsyncIterator[list[Heard]]:
        """Pages of what counts as of `upto`, in local order."""
        while rows := await connection.fetch(_READ, after, upto, PAGE):
            yield self.heard(rows)
            after = rows[-1]["position"]

    async def at(self, connection: Connection, positions: Sequence[int]) -> list[Heard]:
        return self.heard(await connection.fetch(_AT, positions))

    def types(self, view: AnyCells) -> list[str]:
        """What a view hears, by name."""
        return [
            name
            for name, contracts in self._contracts.items()
            if view.hears is None or contracts.classes[name] in view.hears
        ]

    def heard(self, rows: Sequence[Mapping[str, Any]]) -> list[Heard]:
        return [
            Heard(
                row["source"],
                row["position"],
                row["event_id"],
                row["stream_id"],
                row["version"],
                fact,
                row["occurred_at"],
                row["recorded_at"],
            )
            for row in rows
            if (fact := self._fact(row["type"], row["data"])) is not None
        ]

    def _fact(self, type_: str, body: str) -> object | None:
        """A body that does not fit its contract is kept like any other; the views park it."""
        contracts = self._contracts.get(type_)
        if contracts is None:
            return None
        try:
            return contracts.load(type_, body)
        except ValueError as error:
            return Unreadable(contracts.classes[type_], str(error).splitlines()[0])
