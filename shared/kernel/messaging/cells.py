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
from operator import add, sub
from typing import Any, Generic, NamedTuple, TypeVar
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
# Entities of one view: a few megabytes. Whatever is going on now is among them; any other is read with its batch.
_REMEMBERED = 5_000

# `{}` stands for the version's table.
_LOAD_STATES = 'SELECT id, state FROM "{}" WHERE id = ANY($1::uuid[])'
_WRITE_STATES = """
INSERT INTO "{}" (id, state) SELECT id, state::jsonb FROM unnest($1::uuid[], $2::text[]) AS given(id, state)
ON CONFLICT (id) DO UPDATE SET state = excluded.state
"""
_DELETE_STATES = 'DELETE FROM "{}" WHERE id = ANY($1::uuid[])'
_LOAD_CELLS = 'SELECT key, numbers FROM "{}" WHERE key = ANY($1::text[])'
_WRITE_CELLS = """
INSERT INTO "{}" (key, numbers) SELECT key, numbers::bigint[] FROM unnest($1::text[], $2::text[]) AS given(key, numbers)
ON CONFLICT (key) DO UPDATE SET numbers = excluded.numbers
"""
_DELETE_CELLS = 'DELETE FROM "{}" WHERE key = ANY($1::text[])'


@dataclass(frozen=True, slots=True)
class Unreadable:
    """In the place of a fact whose body does not fit its contract."""

    contract: type
    why: str


class Heard(NamedTuple):
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
    """`key` names the entity that a record concerns; all records of one stream concern the same entity.

    `hears`: the contracts that are of interest; None: all of them. `across` is needed where an entity's records lie
    in several streams: the contracts' field with the entity's id.
    """

    name: str
    initial: State
    key: Callable[[Heard], UUID]
    project: Callable[[State, Heard], State]
    contribute: Callable[[State, ZoneInfo], Mapping[CellKey, Numbers]]
    shape: int = 1
    hears: frozenset[type] | None = None
    across: str | None = None

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

    def heard(self, records: Iterable[Heard]) -> list[Heard]:
        """Those of interest here, the unreadable among them included."""
        if self.hears is None:
            return list(records)
        hears = self.hears
        return [
            record
            for record in records
            if (record.fact.contract if type(record.fact) is Unreadable else type(record.fact)) in hears
        ]

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
        """`records` are such as the view hears."""
        keys = list(map(self.view.key, records))
        before = await self._load(connection, dict.fromkeys(keys))
        after = dict(before)
        project, initial = self.view.project, self.view.initial
        for key, record in zip(keys, records, strict=True):
            state = after[key]
            after[key] = project(initial if state is None else state, record)
        await self._write(connection, before, after)
        self.states.update(after)
        while len(self.states) > _REMEMBERED:
            self.states.popitem(last=False)

    async def take_back(self, connection: Connection, keys: Iterable[UUID]) -> None:
        """These entities as if nothing had been heard of them."""
        before = await self._load(connection, keys)
        after = dict.fromkeys(before)
        await self._write(connection, before, after)
        self.states.update(after)

    async def _load(self, connection: Connection, keys: Iterable[UUID]) -> dict[UUID, Any]:
        """What the table has of these; None where it has nothing."""
        unknown = []
        for key in keys:
            if key in self.states:
                self.states.move_to_end(key)
            else:
                unknown.append(key)
        if unknown:
            table, _ = self.view.tables(self.version)
            self.states.update(dict.fromkeys(unknown))
            for row in await connection.fetch(_LOAD_STATES.format(table), unknown):
                self.states[row["id"]] = self.view.adapter.validate_json(row["state"])
        return {key: self.states[key] for key in keys}

    async def _write(
        self, connection: Connection, before: Mapping[UUID, Any], after: Mapping[UUID, Any]
    ) -> None:
        states_table, cells_table = self.view.tables(self.version)
        contribute, zone = self.view.contribute, self.zone
        changed = {key: state for key, state in after.items() if state != before[key]}
        delta: dict[CellKey, Numbers] = {}
        for key, state in changed.items():
            if state is not None:
                for cell, numbers in contribute(state, zone).items():
                    held = delta.get(cell)
                    delta[cell] = numbers if held is None else _each(add, held, numbers)
            if before[key] is not None:
                for cell, numbers in contribute(before[key], zone).items():
                    delta[cell] = _each(sub, delta.get(cell, ()), numbers)
        kept = {key: state for key, state in changed.items() if state is not None}
        if kept:
            dump = self.view.adapter.dump_json
            states = [dump(state).decode() for state in kept.values()]
            await connection.execute(_WRITE_STATES.format(states_table), list(kept), states)
        if len(kept) < len(changed):
            gone = [key for key in changed if key not in kept]
            await connection.execute(_DELETE_STATES.format(states_table), gone)
        await _write_cells(
            connection,
            cells_table,
            {SEPARATOR.join(k): numbers for k, numbers in delta.items() if any(numbers)},
        )


async def _write_cells(connection: Connection, table: str, delta: Mapping[str, Numbers]) -> None:
    """One writer owns the cells, so they are read, summed here and written back."""
    if not delta:
        return
    # In the order of the index, so that what comes together lies together.
    summed = {key: delta[key] for key in sorted(delta)}
    for row in await connection.fetch(_LOAD_CELLS.format(table), list(summed)):
        summed[row["key"]] = _each(add, tuple(row["numbers"]), delta[row["key"]])
    kept = {key: numbers for key, numbers in summed.items() if any(numbers)}
    if kept:
        texts = ["{" + ",".join(map(str, numbers)) + "}" for numbers in kept.values()]
        await connection.execute(_WRITE_CELLS.format(table), list(kept), texts)
    if len(kept) < len(summed):
        await connection.execute(_DELETE_CELLS.format(table), [key for key in summed if key not in kept])


def fold(
    view: Cells[State], records: Iterable[Heard], states: dict[UUID, State] | None = None
) -> dict[UUID, State]:
    """The states in memory, from scratch or onwards: for answers as of a position, and to compare a rebuild with."""
    states = {} if states is None else states
    for record in records:
        key = view.key(record)
        states[key] = view.project(states.get(key, view.initial), record)
    return states


def _each(how: Callable[[int, int], int], one: Numbers, other: Numbers) -> Numbers:
    """Place by place; the shorter one goes on in noughts."""
    if len(one) != len(other):
        width = max(len(one), len(other))
        one, other = one + (0,) * (width - len(one)), other + (0,) * (width - len(other))
    return tuple(map(how, one, other))
