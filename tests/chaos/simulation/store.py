"""A database in memory: committed rows, transactions that nobody else sees until they commit, and locks.

READ COMMITTED: a statement sees what is committed at its moment, and its own transaction. A statement that must wait
raises `Blocked` before it has changed anything, and is run again from its start when somebody's transaction has ended.
"""

import random
from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg

from tests.chaos.simulation.loop import VirtualLoop

Row = Mapping[str, Any]
Key = Any
Tables = dict[str, dict[Key, Row]]

LOG = ("the log's lock", None)
# Row locks, and which of them cannot be held beside each other (PostgreSQL, table 13.3).
KEY_SHARE, NO_KEY_UPDATE, UPDATE = range(3)
_CONFLICTS = {KEY_SHARE: {UPDATE}, NO_KEY_UPDATE: {NO_KEY_UPDATE, UPDATE}, UPDATE: {0, 1, 2}}
# Tables whose key is a position drawn from a sequence, and that are read in its order.
LOGS = ("events", "received")


class Blocked(Exception):
    """Somebody else's transaction must end first."""


@dataclass(frozen=True, slots=True)
class Backup:
    tables: Tables
    sequences: dict[str, int]
    taken: float


@dataclass(eq=False, slots=True)
class Transaction:
    """What it changed, by table; None is a deleted row."""

    store: "Store"
    began: float
    changes: dict[str, dict[Key, Row | None]] = field(default_factory=dict)
    held: list[tuple[str, Key]] = field(default_factory=list)
    savepoints: list[tuple[str, dict[str, dict[Key, Row | None]]]] = field(default_factory=list)
    failed: bool = False
    # Whether the server ends it when its client has been silent for two seconds.
    bounded: bool = False

    def get(self, table: str, key: Key) -> Row | None:
        changed = self.changes.get(table)
        if changed is not None and key in changed:
            return changed[key]
        return self.store.tables[table].get(key)

    def rows(self, table: str) -> list[Row]:
        changed = self.changes.get(table)
        if not changed:
            return list(self.store.tables[table].values())
        merged = self.store.tables[table] | changed
        return [row for row in merged.values() if row is not None]

    def after(self, table: str, position: int) -> Iterator[Row]:
        """Rows of a log in their order, from behind a position."""
        order = self.store.order[table]
        committed = self.store.tables[table]
        for place in range(bisect_right(order, position), len(order)):
            yield committed[order[place]]
        own = self.changes.get(table) or {}
        for key in sorted(own):
            if key > position and (row := own[key]) is not None:
                yield row

    def last(self, table: str) -> int:
        order = self.store.order[table]
        own = self.changes.get(table) or ()
        newest: int = max([order[-1] if order else 0, *own])
        return newest

    def put(self, table: str, key: Key, row: Row) -> None:
        self.changes.setdefault(table, {})[key] = row

    def delete(self, table: str, key: Key) -> None:
        self.changes.setdefault(table, {})[key] = None

    def insert(self, table: str, key: Key, row: Row) -> None:
        """Raises as a unique constraint does."""
        self.lock(table, key, UPDATE)
        if self.get(table, key) is not None:
            raise asyncpg.UniqueViolationError(f"{table}: {key} exists")
        self.put(table, key, row)

    def lock(self, table: str, key: Key, mode: int = NO_KEY_UPDATE) -> None:
        self.store.lock(self, (table, key), mode)

    def savepoint(self, name: str) -> None:
        self.savepoints.append((name, _copied(self.changes)))

    def release(self, name: str) -> None:
        """With all that were set after it."""
        while self.savepoints.pop()[0] != name:
            pass

    def rollback_to(self, name: str) -> None:
        """It stays set; all that were set after it are gone."""
        while self.savepoints[-1][0] != name:
            self.savepoints.pop()
        self.changes = _copied(self.savepoints[-1][1])
        self.failed = False


def _copied(changes: Mapping[str, dict[Key, Row | None]]) -> dict[str, dict[Key, Row | None]]:
    return {table: dict(rows) for table, rows in changes.items()}


class Store:
    """One service's database server. `woken` is called whenever somebody's wait may be over."""

    def __init__(self, loop: VirtualLoop, chance: random.Random, backup: Backup, major: int) -> None:
        self.loop = loop
        self.chance = chance
        self.major = major
        self.system_identifier = 7
        self.timeline = 1
        self.locks: dict[tuple[str, Key], dict[Transaction, int]] = {}
        self.woken: Callable[[], None] = lambda: None
        # Sees what a transaction changes, a moment before everyone does.
        self.watch: Callable[[Transaction], None] = lambda _: None
        self.index: dict[Key, list[Row]] = defaultdict(list)
        self.restore(backup)

    def now(self) -> datetime:
        return self.loop.clock()

    def backup(self) -> Backup:
        tables = {name: dict(rows) for name, rows in self.tables.items()}
        return Backup(tables, dict(self.sequences), self.loop.time())

    def restore(self, backup: Backup) -> None:
        self.tables: Tables = defaultdict(dict, {name: dict(rows) for name, rows in backup.tables.items()})
        self.sequences = defaultdict(int, backup.sequences)
        self.order = {name: sorted(self.tables[name]) for name in LOGS}
        self.locks.clear()
        self.index.clear()
        for position in self.order["events"]:
            self._index(self.tables["events"][position])

    def begin(self) -> Transaction:
        return Transaction(self, self.loop.time())

    def draw(self, sequence: str) -> int:
        """A position is drawn when a row is made, not when it becomes visible."""
        self.sequences[sequence] += 1
        return self.sequences[sequence]

    def lock(self, transaction: Transaction, what: tuple[str, Key], mode: int = UPDATE) -> None:
        holders = self.locks.get(what)
        if holders is None:
            self.locks[what] = {transaction: mode}
            transaction.held.append(what)
            return
        against = _CONFLICTS[mode]
        for holder, held in holders.items():
            if holder is not transaction and held in against:
                raise Blocked
        if transaction not in holders:
            transaction.held.append(what)
            holders[transaction] = mode
        else:
            holders[transaction] = max(mode, holders[transaction])

    def holder(self, what: tuple[str, Key]) -> Transaction | None:
        return next(iter(self.locks.get(what, ())), None)

    def make_visible(self, transaction: Transaction) -> None:
        self.watch(transaction)
        for name, changed in transaction.changes.items():
            table = self.tables[name]
            for key, row in changed.items():
                if row is None:
                    table.pop(key, None)
                else:
                    if name in LOGS and key not in table:
                        insort(self.order[name], key)
                        if name == "events":
                            self._index(row)
                    table[key] = row
        transaction.changes = {}

    def release(self, transaction: Transaction) -> None:
        for what in transaction.held:
            holders = self.locks.get(what)
            if holders is not None:
                holders.pop(transaction, None)
                if not holders:
                    del self.locks[what]
        if transaction.held:
            transaction.held.clear()
            self.woken()

    def _index(self, row: Row) -> None:
        self.index[row["stream_id"]].append(row)
