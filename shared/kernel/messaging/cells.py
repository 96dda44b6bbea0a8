"""Views that are sums: an entity's state, folded from its records, contributes numbers to cells.

Invariant: a cell is the sum of `contribute(state)` over all entities. When a record changes a state, the kernel
writes `contribute(new) - contribute(old)`, summed per batch. So late, repeated and reordered records, corrections
and rebuilds are all the same case: the state changed.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Generic, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter
from sqlalchemy import BigInteger, Column, MetaData, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from kernel.storage.database import Connection

State = TypeVar("State")
CellKey = tuple[str, ...]
Numbers = tuple[int, ...]
SEPARATOR = "\x1f"
_REMEMBERED = 20_000

# `{}` stands for the version's table.
_LOAD_STATES = 'SELECT id, state FROM "{}" WHERE id = ANY($1::uuid[])'
_WRITE_STATES = """
INSERT INTO "{}" (id, state) SELECT id, state::jsonb FROM unnest($1::uuid[], $2::text[]) AS given(id, state)
ON CONFLICT (id) DO UPDATE SET state = excluded.state
"""
_LOAD_CELLS = 'SELECT key, numbers FROM "{}" WHERE key = ANY($1::text[])'
_WRITE_CELLS = """
INSERT INTO "{}" (key, numbers) SELECT key, numbers::bigint[] FROM unnest($1::text[], $2::text[]) AS given(key, numbers)
ON CONFLICT (key) DO UPDATE SET numbers = excluded.numbers
"""
_DELETE_CELLS = 'DELETE FROM "{}" WHERE key = ANY($1::text[])'


@dataclass(frozen=True, slots=True)
class Unreadable:
    """In the place of a fact whose body does not fit its contract."""

    why: str


@dataclass(frozen=True, slots=True)
class Heard:
    """A record as analytics has it: `position` is the place in its own log, `fact` the contract."""

    source: str
    position: int
    event_id: UUID
    stream_id: UUID
    version: int
    fact: Any
    occurred_at: datetime
    recorded_at: datetime


@dataclass(frozen=True, eq=False)
class Cells(Generic[State]):
    """`key` names the entity that a record concerns, or None when it concerns no one here."""

    name: str
    initial: State
    key: Callable[[Heard], UUID | None]
    project: Callable[[State, Heard], State]
    contribute: Callable[[State, ZoneInfo], Mapping[CellKey, Numbers]]
    shape: int = 1

    def attach(self, metadata: MetaData) -> "Cells[State]":
        for_states, for_cells = self.tables(self.shape)
        Table(
            for_states, metadata, Column("id", Uuid, primary_key=True), Column("state", JSONB, nullable=False)
        )
        Table(
            for_cells,
            metadata,
            # The C collation orders keys byte by byte, so that a prefix is a range of the index.
            Column("key", Text(collation="C"), primary_key=True),
            Column("numbers", ARRAY(BigInteger), nullable=False),
        )
        return self

    def tables(self, version: int) -> tuple[str, str]:
        return f"{self.name}_states_{version}", f"{self.name}_cells_{version}"

    @cached_property
    def adapter(self) -> TypeAdapter[State]:
        return TypeAdapter(type(self.initial))


AnyCells = Cells[Any]


@dataclass(slots=True)
class CellWriter:
    """Keeps one version of one view; `states` remembers what the table has, as long as nothing was rolled back."""

    view: AnyCells
    version: int
    zone: ZoneInfo
    states: "OrderedDict[UUID, Any]" = field(default_factory=OrderedDict)

    def forget(self) -> None:
        self.states.clear()

    async def apply(self, connection: Connection, records: Sequence[Heard]) -> None:
        concerned = [(key, record) for record in records if (key := self.view.key(record)) is not None]
        if not concerned:
            return
        await self._load(connection, {key for key, _ in concerned})
        before = {key: self.states[key] for key, _ in concerned}
        after = dict(before)
        project, initial = self.view.project, self.view.initial
        for key, record in concerned:
            state = after[key]
            after[key] = project(initial if state is None else state, record)
        await self._write(connection, before, after)
        self.states.update(after)
        while len(self.states) > _REMEMBERED:
            self.states.popitem(last=False)

    async def _load(self, connection: Connection, keys: set[UUID]) -> None:
        unknown = [key for key in keys if key not in self.states]
        for key in keys:
            if key in self.states:
                self.states.move_to_end(key)
        if not unknown:
            return
        table, _ = self.view.tables(self.version)
        self.states.update(dict.fromkeys(unknown))
        for row in await connection.fetch(_LOAD_STATES.format(table), unknown):
            self.states[row["id"]] = self.view.adapter.validate_json(row["state"])

    async def _write(
        self, connection: Connection, before: Mapping[UUID, Any], after: Mapping[UUID, Any]
    ) -> None:
        delta: dict[CellKey, Numbers] = {}
        changed: dict[UUID, Any] = {}
        contribute, zone = self.view.contribute, self.zone
        for key, state in after.items():
            old = before[key]
            if state == old:
                continue
            changed[key] = state
            added, removed = contribute(state, zone), {} if old is None else contribute(old, zone)
            for cell in added.keys() | removed.keys():
                new, gone = added.get(cell), removed.get(cell)
                if new != gone:
                    _accumulate(delta, cell, new, gone)
        if changed:
            await self._write_states(connection, changed)
        if delta:
            await self._write_cells(connection, delta)

    async def _write_states(self, connection: Connection, changed: Mapping[UUID, Any]) -> None:
        table, _ = self.view.tables(self.version)
        dump = self.view.adapter.dump_json
        await connection.execute(
            _WRITE_STATES.format(table),
            list(changed),
            [dump(state).decode() for state in changed.values()],
        )

    async def _write_cells(self, connection: Connection, delta: Mapping[CellKey, Numbers]) -> None:
        """One writer owns the cells, so they are read, summed here and written back."""
        _, table = self.view.tables(self.version)
        keys = {SEPARATOR.join(key): key for key in delta}
        held = await load_cells(connection, table, list(keys))
        summed = {text: _plus(held.get(text), delta[key]) for text, key in keys.items()}
        gone = [text for text, numbers in summed.items() if not any(numbers)]
        kept = [text for text, numbers in summed.items() if any(numbers)]
        if kept:
            await connection.execute(
                _WRITE_CELLS.format(table),
                kept,
                ["{" + ",".join(map(str, summed[text])) + "}" for text in kept],
            )
        if gone:
            await connection.execute(_DELETE_CELLS.format(table), gone)


async def load_cells(connection: Connection, table: str, keys: Sequence[str]) -> dict[str, Numbers]:
    rows = await connection.fetch(_LOAD_CELLS.format(table), keys)
    return {row["key"]: tuple(row["numbers"]) for row in rows}


def fold(
    view: Cells[State], records: Iterable[Heard], states: dict[UUID, State] | None = None
) -> dict[UUID, State]:
    """The states in memory, from scratch or onwards: for answers as of a position, and to compare a rebuild with."""
    states = {} if states is None else states
    for record in records:
        key = view.key(record)
        if key is not None:
            states[key] = view.project(states.get(key, view.initial), record)
    return states


def _accumulate(
    delta: dict[CellKey, Numbers], cell: CellKey, new: Numbers | None, gone: Numbers | None
) -> None:
    difference = _minus(new or (), gone or ())
    delta[cell] = _plus(delta.get(cell), difference)


def _plus(one: Numbers | None, other: Numbers) -> Numbers:
    if one is None:
        return other
    if len(one) < len(other):
        one, other = other, one
    return tuple(a + b for a, b in zip(one, other, strict=False)) + one[len(other) :]


def _minus(one: Numbers, other: Numbers) -> Numbers:
    return _plus(one, tuple(-number for number in other))
