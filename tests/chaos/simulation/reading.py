"""What must be true of those who read the accounts' topic: their own tables against the log that they follow."""

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from kernel.messaging.sources import FEED_PARTITION, NO_INCARNATION

from tests.chaos.simulation.checks import Books
from tests.chaos.simulation.following import gone
from tests.chaos.simulation.hearing import CELLS_TABLE, STATES_TABLE
from tests.chaos.simulation.nodes import BANK
from tests.chaos.simulation.store import Row
from tests.chaos.simulation.world import World

Place = tuple[UUID, int]


def check_reader(world: World, *, end: bool) -> None:
    books = Books(world)
    for kind in world.plan.readers:
        for what, wrong in _wrong(world, books, kind, end):
            world.ledger.violated(what, f"{kind}: {wrong}")


def _wrong(world: World, books: Books, kind: str, end: bool) -> Iterator[tuple[str, object]]:
    if kind == "forgetting":
        yield from _forgotten(world, books, end)
        return
    if kind == "projection":
        heard = list(_heard(world))
        yield from _order(heard)
        yield from _states(world, heard)
        had = {(row["incarnation"], row["source_position"]) for row in heard}
    else:
        places = list(_tallied(world) if kind == "reaction" else _counted(world))
        had = set(places)
        if len(places) != len(had):
            yield "a record took effect twice", [place for place in had if places.count(place) > 1]
    yield from _complete(world, books, kind, had)
    if end:
        wanted = {(books.history.at(e["position"]).id, e["position"]) for e in books.published()}
        if wanted - had:
            yield "a record was never heard", sorted(position for _, position in wanted - had)
        if kind == "projection" and had - wanted:
            yield "something counts that is not in the log", sorted(position for _, position in had - wanted)


def _forgotten(world: World, books: Books, end: bool) -> Iterator[tuple[str, object]]:
    """Each of those erased at home is forgotten here, once; and nobody whom a restore has taken back is known again."""
    tables = world.reader.store.tables
    forgotten = [event["stream_id"] for event in tables["events"].values()]
    keys = {row["person_id"]: row for row in tables["person_keys"].values()}
    if len(forgotten) != len(set(forgotten)):
        yield "a record took effect twice", forgotten
    if set(forgotten) != {
        person for person, row in keys.items() if row["shredded_at"] and not row["wrapped_key"]
    }:
        yield "an erased person's key is there", keys
    erased = {event["stream_id"] for event in books.events if event["type"] == "Erased"}
    if end and not erased <= set(forgotten):
        yield "a record was never heard", erased - set(forgotten)


def _heard(world: World) -> Iterator[Row]:
    """What was received and still counts, in the order in which it came."""
    store = world.reader.store
    withdrawals = list(store.tables["withdrawn"].values())
    for position in store.order["received"]:
        row = store.tables["received"][position]
        if not any(gone(row, withdrawal) for withdrawal in withdrawals):
            yield row


def _tallied(world: World) -> Iterator[Place]:
    for event in world.reader.store.tables["events"].values():
        data: dict[str, Any] = json.loads(event["data"])
        yield UUID(data["incarnation"]), data["source_position"]


def _counted(world: World) -> Iterator[Place]:
    for row in world.reader.store.tables["counted"].values():
        yield row["incarnation"], row["position"]


def _order(heard: list[Row]) -> Iterator[tuple[str, object]]:
    last: dict[UUID, int] = {}
    for row in heard:
        if row["version"] <= last.get(row["stream_id"], 0):
            yield "a stream was heard out of order or twice", f"{row['stream_id']}: version {row['version']}"
        last[row["stream_id"]] = row["version"]


def _states(world: World, heard: list[Row]) -> Iterator[tuple[str, object]]:
    """Each state is the fold of what was heard; where a stream is parked, of what came before."""
    tables = world.reader.store.tables
    parked: dict[UUID, list[int]] = defaultdict(list)
    for row in tables["parked"].values():
        parked[row["stream_id"]].append(row["position"])
    folded: dict[UUID, tuple[list[int], int]] = {}
    for row in heard:
        stream = row["stream_id"]
        if stream in parked and row["position"] >= min(parked[stream]):
            if row["position"] not in parked[stream]:
                yield "a parked stream was passed by", f"{stream}: {row['position']}"
            continue
        versions, total = folded.setdefault(stream, ([], 0))
        folded[stream] = ([*versions, row["version"]], total + int(json.loads(row["data"]).get("by", 0)))
    kept = {row["id"]: json.loads(row["state"]) for row in tables[STATES_TABLE].values()}
    states = {stream: (state["heard"], state["total"]) for stream, state in kept.items()}
    if states != folded:
        yield "a projection is not the fold of what was heard", _difference(states, folded)
    sums = [len(versions) for versions, _ in folded.values()], [total for _, total in folded.values()]
    cell = tables[CELLS_TABLE].get("all")
    if list(map(sum, sums)) != (cell["numbers"] if cell else [0, 0]):
        yield "a cell is not the sum of its states", f"{cell}, not {list(map(sum, sums))}"


def _difference(one: dict[UUID, Any], other: dict[UUID, Any]) -> object:
    return next(
        (i, one.get(i), other.get(i)) for i in one.keys() | other.keys() if one.get(i) != other.get(i)
    )


def _complete(world: World, books: Books, kind: str, had: set[Place]) -> Iterator[tuple[str, object]]:
    """A bookmark says that everything up to it is there, and everything recorded until its time."""
    ends = _ends(books)
    for mark in world.reader.store.tables["checkpoints"].values():
        if mark["follower"] != kind or mark["incarnation"] == NO_INCARNATION:
            continue
        limit = ends.get(mark["incarnation"], -1)
        for event in books.published():
            position = event["position"]
            if position > limit or mark["partition"] not in (FEED_PARTITION, books.partition(event)):
                continue
            if (books.history.at(position).id, position) in had:
                continue
            if position <= mark["position"]:
                yield "a bookmark is ahead of what was heard", f"{position} of {mark['position']}"
            elif mark["complete_at"] and event["recorded_at"] <= mark["complete_at"]:
                yield "the stated freshness is not true", f"{position}, {mark['complete_at']}"


def _ends(books: Books) -> dict[UUID, int]:
    """Up to where the log still holds each incarnation's history."""
    ends: dict[UUID, int] = {}
    limit = 2**62
    for one in reversed(books.incarnations):
        ends[one.id] = limit
        limit = min(limit, one.from_position)
    return ends


def settled(world: World) -> bool:
    """Everything that was written has been passed on, and everyone knows that it has."""
    row, last = world.bank.store.tables["relay"].get(BANK.topic), world.bank.store.order["events"][-1]
    if row is None or row["position"] < last:
        return False
    ends = _ends(Books(world))
    for kind in world.plan.readers:
        marks = [
            mark for mark in world.reader.store.tables["checkpoints"].values() if _counts(world, mark, kind)
        ]
        if len(marks) < (world.plan.partitions if world.plan.source == "topic" else 1):
            return False
        if any(not last <= mark["position"] <= ends.get(mark["incarnation"], -1) for mark in marks):
            return False
    return not world.reader.store.tables["parked"]


def _counts(world: World, mark: Row, kind: str) -> bool:
    """Who follows the feed has one bookmark that matters: it is one partition."""
    in_feed = bool(mark["partition"] == FEED_PARTITION)
    return bool(mark["follower"] == kind) and in_feed == (world.plan.source == "feed")
