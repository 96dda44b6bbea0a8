"""The statements of a follower: its bookmarks, what it received, its cells, and what is parked."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from kernel.messaging import bookmarks, parking, projecting, received
from kernel.messaging.received import Received
from kernel.messaging.rereading import Rereading
from pydantic_core import from_json

from tests.chaos.simulation.hearing import CELLS, CELLS_TABLE, STATES_TABLE, sums
from tests.chaos.simulation.statements import columns, on, picked
from tests.chaos.simulation.store import UPDATE, Row, Transaction

_HEARD = "position source event_id stream_id version type data occurred_at recorded_at"
_GIVEN = "source partition incarnation position kafka_offset complete_at was_incarnation was_position"


@on(bookmarks._LOAD)
def load_bookmarks(tx: Transaction, follower: str, version: int) -> list[Row]:
    return [r for r in tx.rows("checkpoints") if (r["follower"], r["version"]) == (follower, version)]


@on(bookmarks._BEGIN)
def begin_bookmarks(
    tx: Transaction,
    follower: str,
    version: int,
    sources: Sequence[str],
    partitions: Sequence[int],
    none: UUID,
) -> int:
    keys = [(follower, version, source, n) for source, n in zip(sources, partitions, strict=True)]
    for key in keys:
        tx.lock("checkpoints", key, UPDATE)
    for key in keys:
        if tx.get("checkpoints", key) is None:
            row = dict(zip(("follower", "version", "source", "partition"), key, strict=True))
            said = {"incarnation": none, "position": 0, "kafka_offset": None, "complete_at": None}
            tx.put("checkpoints", key, row | said)
    return len(keys)


@on(bookmarks._MOVE)
def move_bookmarks(tx: Transaction, follower: str, version: int, *given: Sequence[Any]) -> int:
    rows = columns(_GIVEN, *given)
    for row in rows:
        tx.lock("checkpoints", (follower, version, row["source"], row["partition"]))
    moved = 0
    for row in rows:
        key = (follower, version, row["source"], row["partition"])
        held = tx.get("checkpoints", key)
        was = row.pop("was_incarnation"), row.pop("was_position")
        if held is not None and (held["incarnation"], held["position"]) == was:
            row["complete_at"] = row["complete_at"] or held["complete_at"]
            tx.put("checkpoints", key, {**held, **row})
            moved += 1
    return moved


_STORED = "source incarnation source_position event_id stream_id version type data occurred_at recorded_at"


@on(received._STORE)
def store(tx: Transaction, *given: Sequence[Any]) -> list[Row]:
    rows = columns(_STORED, *given)
    keys = [(row["source"], row["incarnation"], row["source_position"]) for row in rows]
    for key in keys:
        tx.lock("received_unique", key, UPDATE)
    stored: list[Row] = []
    for key, row in zip(keys, rows, strict=True):
        if tx.get("received_unique", key) is None:
            position = tx.store.draw("received")
            tx.put("received_unique", key, {"position": position})
            row["position"] = position
            tx.put("received", position, row)
            stored.append(row)
    return stored


@on(received._WITHDRAW)
def withdraw(tx: Transaction, source: str, which: UUID, begins: int, counting: Sequence[UUID]) -> list[Row]:
    key = (source, which)
    tx.lock("withdrawn", key, UPDATE)
    held = tx.get("withdrawn", key)
    begins = begins if held is None else min(begins, held["from_position"])
    row = {"position": tx.store.draw("received"), "source": source, "incarnation": which}
    tx.put("withdrawn", key, {**row, "from_position": begins, "counting": tuple(counting)})
    return [{"from_position": begins}]


@on(received._ABOVE)
def above(tx: Transaction, source: str, place: int) -> list[Row]:
    return [{"count": len(_above(tx, source, place))}]


@on(received.HEAD)
def head(tx: Transaction) -> list[Row]:
    return [
        {"head": max(int(row["position"]) for name in ("received", "withdrawn") for row in tx.rows(name))}
    ]


@on(Rereading(Received({}), sums).concerned)
def concerned(
    tx: Transaction, after: int, upto: int, types: Sequence[str], source: str, place: int
) -> list[Row]:
    streams = {row["stream_id"] for row in _above(tx, source, place) if row["type"] in types}
    withdrawals = [row for row in tx.rows("withdrawn") if row["position"] <= upto]
    return [
        {**row, "counts": not any(gone(row, withdrawal) for withdrawal in withdrawals)}
        for row in tx.after("received", after)
        if row["position"] <= upto and row["type"] in types and row["stream_id"] in streams
    ]


def _above(tx: Transaction, source: str, place: int) -> list[Row]:
    return [r for r in tx.after("received", 0) if r["source"] == source and r["source_position"] > place]


@on(received._READ)
def read(tx: Transaction, after: int, upto: int, limit: int) -> list[Row]:
    withdrawals = [row for row in tx.rows("withdrawn") if row["position"] <= upto]
    found: list[Row] = []
    for row in tx.after("received", after):
        if row["position"] > upto or len(found) == limit:
            break
        if not any(gone(row, withdrawal) for withdrawal in withdrawals):
            found.append(row)
    return found


def gone(row: Row, withdrawal: Row) -> bool:
    """Of a history that ended below it, and heard before that was known."""
    return bool(
        withdrawal["source"] == row["source"]
        and row["incarnation"] not in withdrawal["counting"]
        and row["source_position"] > withdrawal["from_position"]
        and row["position"] <= withdrawal["position"]
    )


@on(received._AT)
def at(tx: Transaction, positions: Sequence[int]) -> list[Row]:
    return [row for position in sorted(positions) if (row := tx.get("received", position))]


@on(projecting._LIVE)
def live(tx: Transaction) -> list[Row]:
    return [row for row in tx.rows("views") if row["live"]]


@on(projecting._SETTLE)
def settle(tx: Transaction, parameters: str) -> int:
    rows = [row for row in tx.rows("views") if row["parameters"] == ""]
    for row in rows:
        tx.lock("views", (row["name"], row["version"]))
    for row in rows:
        tx.put("views", (row["name"], row["version"]), {**row, "parameters": parameters})
    return len(rows)


@on("UPDATE views SET epoch = (SELECT max(epoch) + 1 FROM views) WHERE live")
def raise_epoch(tx: Transaction) -> int:
    rows = tx.rows("views")
    for row in rows:
        tx.lock("views", (row["name"], row["version"]))
    epoch = max(row["epoch"] for row in rows) + 1
    for row in rows:
        if row["live"]:
            tx.put("views", (row["name"], row["version"]), {**row, "epoch": epoch})
    return len(rows)


@on(parking._LOAD)
def parked_streams(tx: Transaction, follower: str, version: int) -> list[Row]:
    found = {row["stream_id"]: None for row in _parked(tx, follower, version)}
    return [{"stream_id": stream} for stream in found]


def _parked(tx: Transaction, follower: str, version: int) -> list[Row]:
    return [r for r in tx.rows("parked") if (r["follower"], r["version"]) == (follower, version)]


@on(parking._PARK)
def park(tx: Transaction, follower: str, version: int, *given: Any) -> int:
    *named, incarnation = given
    for row in columns("source stream_id position error", *named):
        key = (follower, version, row["source"], incarnation, row["stream_id"], row["position"])
        if tx.get("parked", key) is None:
            tx.put("parked", key, {**row, "follower": follower, "version": version, "key": key})
    return len(given[0])


@on("DELETE FROM parked WHERE follower = $1 AND version = $2 AND stream_id = $3")
def release(tx: Transaction, follower: str, version: int, stream: UUID) -> int:
    return _unpark(tx, [row for row in _parked(tx, follower, version) if row["stream_id"] == stream])


@on("DELETE FROM parked WHERE follower = $1 AND version = $2")
def release_all(tx: Transaction, follower: str, version: int) -> int:
    return _unpark(tx, _parked(tx, follower, version))


def _unpark(tx: Transaction, rows: Sequence[Row]) -> int:
    for row in rows:
        tx.delete("parked", row["key"])
    return len(rows)


@on("SELECT position FROM parked WHERE follower = $1 AND version = $2 AND stream_id = $3 ORDER BY position")
def parked_positions(tx: Transaction, follower: str, version: int, stream: UUID) -> list[Row]:
    rows = [row for row in _parked(tx, follower, version) if row["stream_id"] == stream]
    return picked("position", sorted(rows, key=lambda row: int(row["position"])))


@on(CELLS.load_states)
def load_states(tx: Transaction, keys: Sequence[UUID]) -> list[Row]:
    return [row for key in keys if (row := tx.get(STATES_TABLE, key))]


@on(CELLS.save_states)
def save_states(tx: Transaction, keys: Sequence[UUID], states: Sequence[str]) -> int:
    for key, state in zip(keys, states, strict=True):
        tx.put(STATES_TABLE, key, {"id": key, "state": state})
    return len(keys)


@on(CELLS.delete_states)
def delete_states(tx: Transaction, keys: Sequence[UUID]) -> int:
    for key in keys:
        tx.delete(STATES_TABLE, key)
    return len(keys)


@on(CELLS.load_cells)
def load_cells(tx: Transaction, keys: Sequence[str]) -> list[Row]:
    return [row for key in keys if (row := tx.get(CELLS_TABLE, key))]


@on(CELLS.save_cells)
def save_cells(tx: Transaction, keys: Sequence[str], numbers: Sequence[str]) -> int:
    for key, text in zip(keys, numbers, strict=True):
        tx.put(CELLS_TABLE, key, {"key": key, "numbers": from_json(f"[{text[1:-1]}]")})
    return len(keys)


@on(CELLS.delete_cells)
def delete_cells(tx: Transaction, keys: Sequence[str]) -> int:
    for key in keys:
        tx.delete(CELLS_TABLE, key)
    return len(keys)


@on(*CELLS.empty)
def empty(tx: Transaction) -> int:
    for table in (STATES_TABLE, CELLS_TABLE):
        for row in tx.rows(table):
            tx.delete(table, row["id"] if table == STATES_TABLE else row["key"])
    return 0


__all__ = ["gone"]
