"""Read models that are rows: a fact says what it does to its row, the kernel writes one upsert per view and batch."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import Column, MetaData, Table
from sqlalchemy.dialects.postgresql import JSONB, dialect

from kernel.domain.recorded import Recorded
from kernel.storage.codec import parsed
from kernel.storage.database import Connection

Row = Mapping[str, Any]
# A fact of whichever aggregate the view belongs to: `project` narrows it with `match`.
AnyRecorded = Recorded[Any]


def own_stream(event: AnyRecorded) -> UUID:
    return event.stream_id


def own_event(event: AnyRecorded) -> UUID:
    """The key of a timeline: every fact is a row of its own."""
    return event.event_id


@dataclass(frozen=True, slots=True)
class KnownView:
    """A view as a migration leaves it: its first version has the number of its shape."""

    name: str
    shape: int


@dataclass(frozen=True, slots=True)
class PersonColumns:
    """`key` holds the person's id; the columns in `blank` are emptied when the person is erased."""

    key: str
    blank: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Rows:
    """A table whose first column `id` is the key; raise `shape` when its columns change."""

    name: str
    columns: Sequence[Column[Any]]
    project: Callable[[Row | None, AnyRecorded], Row | None]
    key: Callable[[AnyRecorded], UUID] = own_stream
    person: PersonColumns | None = None
    shape: int = 1
    indexes: Sequence[Any] = ()
    _tables: dict[int, Table] = field(default_factory=dict)

    def attach(self, metadata: MetaData) -> "Rows":
        """Puts the first version's table into the service's metadata, where migrations see it."""
        self._tables[self.shape] = Table(f"{self.name}_{self.shape}", metadata, *self.columns, *self.indexes)
        return self

    def table(self, version: int) -> Table:
        """The table of a version; those that a rebuild made have the same columns under another name."""
        if version not in self._tables:
            first = self._tables[self.shape]
            self._tables[version] = first.to_metadata(MetaData(), name=f"{self.name}_{version}")
        return self._tables[version]

    @cached_property
    def statements(self) -> "RowStatements":
        return RowStatements(self)

    def project_all(self, rows: dict[UUID, Row | None], events: Iterable[AnyRecorded]) -> None:
        """Folds the events into `rows`, which holds what the table has for the keys concerned."""
        for event in events:
            key = self.key(event)
            rows[key] = self.project(rows.get(key), event)


class RowStatements:
    """The SQL of one view, made once; `{}` stands for the version's table."""

    def __init__(self, view: Rows) -> None:
        columns = list(view.columns)
        self.names = [column.name for column in columns]
        self._json = {column.name for column in columns if isinstance(column.type, JSONB)}
        listed = ", ".join(f'"{name}"' for name in self.names)
        kinds = [column.type.compile(dialect()) for column in columns]  # type: ignore[no-untyped-call]
        given = ", ".join(
            f"${i}::{'text' if name in self._json else kind}[]"
            for i, (name, kind) in enumerate(zip(self.names, kinds, strict=True), 1)
        )
        picked = ", ".join(f'"{name}"::jsonb' if name in self._json else f'"{name}"' for name in self.names)
        updates = ", ".join(f'"{name}" = excluded."{name}"' for name in self.names[1:])
        self._load = f'SELECT {listed} FROM "{{}}" WHERE id = ANY($1::uuid[])'
        self._upsert = (
            f'INSERT INTO "{{}}" ({listed}) SELECT {picked} FROM unnest({given}) AS given({listed}) '
            f"ON CONFLICT (id) DO UPDATE SET {updates}"
        )
        self._delete = 'DELETE FROM "{}" WHERE id = ANY($1::uuid[])'
        self._person = view.person

    async def load(self, connection: Connection, table: str, keys: Iterable[UUID]) -> dict[UUID, Row | None]:
        found = await connection.fetch(self._load.format(table), list(keys))
        return {record["id"]: self.row(record) for record in found}

    def row(self, record: Mapping[str, Any]) -> Row:
        return {
            name: parsed(value) if name in self._json and value is not None else value
            for name, value in record.items()
        }

    async def write(self, connection: Connection, table: str, rows: Mapping[UUID, Row | None]) -> None:
        kept = [row for row in rows.values() if row is not None]
        gone = [key for key, row in rows.items() if row is None]
        if kept:
            await connection.execute(
                self._upsert.format(table), *(self._column(name, kept) for name in self.names)
            )
        if gone:
            await connection.execute(self._delete.format(table), gone)

    def blanking(self, columns: Collection[str]) -> str:
        """Empties what a person's rows say of them in a table with these columns; empty when nothing does."""
        if self._person is None or self._person.key not in columns:
            return ""
        nulls = ", ".join(f'"{name}" = NULL' for name in self._person.blank if name in columns)
        return f'UPDATE "{{}}" SET {nulls} WHERE "{self._person.key}" = ANY($1::uuid[])' if nulls else ""

    async def blank(
        self, connection: Connection, table: str, persons: Sequence[UUID], columns: Collection[str]
    ) -> None:
        """`columns` are the table's: of an earlier shape, it may have others than the view."""
        if blanking := self.blanking(columns):
            await connection.execute(blanking.format(table), list(persons))

    def _column(self, name: str, rows: Sequence[Row]) -> list[Any]:
        if name in self._json:
            return [None if row.get(name) is None else to_json(row[name]).decode() for row in rows]
        return [row.get(name) for row in rows]
