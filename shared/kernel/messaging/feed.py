"""The feed: the same records as on Kafka, page by page in the order of the log, from the very first one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kernel.messaging.records import PublicRecord, Translator, partition_of
from kernel.storage import log
from kernel.storage.database import Connection

_INCARNATIONS = "SELECT id, from_position, partitions FROM incarnations ORDER BY from_position, created_at"
_TYPES = "SELECT type, from_position FROM published_types"
_REGISTER = """
INSERT INTO published_types (type, from_position)
SELECT type, (SELECT coalesce(max(position), 0) FROM events) FROM unnest($1::text[]) AS type
ON CONFLICT (type) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Incarnation:
    id: UUID
    from_position: int
    partitions: int


class Gone(Exception):
    """The reader's place is above where its incarnation of the log ended; it goes on from this place."""

    def __init__(self, incarnation: UUID, position: int, counting: Sequence[UUID]) -> None:
        super().__init__(f"go on from position {position} of incarnation {incarnation}")
        self.incarnation = incarnation
        self.position = position
        # The incarnations whose records above the position were not lost with it.
        self.counting = counting


class History:
    """The incarnations of a log, oldest first: which one a position belongs to, and whether a place still exists."""

    def __init__(self, incarnations: Sequence[Incarnation]) -> None:
        self._all = incarnations

    def at(self, position: int) -> Incarnation:
        """The incarnation that the record at this position belongs to."""
        return next(one for one in reversed(self._all) if one.from_position < position)

    def named(self, incarnation: UUID | None) -> Incarnation | None:
        return next((one for one in self._all if one.id == incarnation), None)

    @property
    def current(self) -> Incarnation | None:
        return self._all[-1] if self._all else None

    def check(self, incarnation: UUID, position: int) -> None:
        """Raises `Gone` when the place lies above the end of its incarnation."""
        for index, one in enumerate(self._all):
            if one.id == incarnation:
                ends = min((later.from_position for later in self._all[index + 1 :]), default=None)
                if ends is not None and position > ends:
                    raise Gone(self._all[index + 1].id, ends, self._counting(index + 1))
                return
        if self._all:
            # An incarnation that the restored log has never heard of began after the backup was taken.
            last = len(self._all) - 1
            raise Gone(self._all[last].id, min(position, self._all[last].from_position), self._counting(last))

    def _counting(self, first: int) -> list[UUID]:
        """Those from `first` on that no later one began before."""
        return [
            one.id
            for index, one in enumerate(self._all)
            if index >= first
            and all(one.from_position <= later.from_position for later in self._all[index + 1 :])
        ]


@dataclass(frozen=True, slots=True)
class Page:
    """`position`: complete up to here, whether or not a record lies there; `at`: as of this time at the source.

    `at` is None where nothing can be said: no record, and an appender in the middle of its work.
    """

    records: Sequence[PublicRecord]
    incarnation: UUID | None
    position: int
    at: datetime | None


async def read_page(
    connection: Connection,
    translator: Translator,
    *,
    after: int,
    limit: int,
    types: frozenset[str] = frozenset(),
    include_past: bool = False,
    incarnation: UUID | None = None,
) -> Page:
    """Raises `Gone` if the log was restored below `after`, a place of this incarnation."""
    # Asked before the events are read, so that what was recorded until then is among them.
    quiet = await log.nobody_appends(connection)
    stored = await log.read_after(connection, after, limit)
    incarnations = await history(connection)
    if incarnation is not None:
        incarnations.check(incarnation, after)
    if not stored:
        current = incarnations.current
        return Page([], current.id if current else None, after, quiet)
    published = {} if include_past else await published_types(connection)
    records = [
        record
        for event in stored
        if (record := _record(translator, incarnations, event)) is not None
        and (include_past or record.position > published.get(record.type, record.position))
        and (not types or record.type in types)
    ]
    position = stored[-1].position
    at = stored[-1].recorded_at if quiet is None or len(stored) == limit else quiet
    return Page(records, incarnations.at(position).id, position, at)


def _record(translator: Translator, incarnations: History, event: log.StoredEvent) -> PublicRecord | None:
    incarnation = incarnations.at(event.position)
    partition = partition_of(event.stream_id, incarnation.partitions)
    return translator.translate(event, incarnation.id, partition)


async def history(connection: Connection) -> History:
    rows = await connection.fetch(_INCARNATIONS)
    return History([Incarnation(row["id"], row["from_position"], row["partitions"]) for row in rows])


async def published_types(connection: Connection) -> Mapping[str, int]:
    """From which position on each type is published; a type that is not there yet is not published at all."""
    return {row["type"]: row["from_position"] for row in await connection.fetch(_TYPES)}


async def register_published_types(connection: Connection, types: Sequence[str]) -> None:
    """A type counts from where the log stands at this moment; nothing below is ever sent."""
    if set(types) <= set(await published_types(connection)):
        return
    await log.begin(connection)
    await connection.execute(_REGISTER, list(types))
    await connection.execute("COMMIT")
