"""What must be true of the accounts' service at every moment, looked at from outside: its tables, and its topic."""

import json
from collections import defaultdict
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any
from uuid import UUID

from kernel.messaging import digest as digests
from kernel.messaging.feed import History, Incarnation
from kernel.messaging.records import PublicRecord, partition_of
from kernel.storage.log import stored

from tests.chaos.simulation.nodes import BANK
from tests.chaos.simulation.store import Row, Tables
from tests.chaos.simulation.world import World

PUBLISHED = ("Opened", "Added", "Erased")
_partition_of = cache(partition_of)


@lru_cache(4096)
def _parsed(text: str) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(text)
    return said


class Books:
    """The log as it lies, read by code that the kernel knows nothing of."""

    def __init__(self, world: World) -> None:
        store = world.bank.store
        self.tables: Tables = store.tables
        self.events: list[Row] = [store.tables["events"][place] for place in store.order["events"]]
        self.data: dict[int, dict[str, Any]] = {e["position"]: _parsed(e["data"]) for e in self.events}
        self.streams: dict[UUID, list[Row]] = defaultdict(list)
        for event in self.events:
            self.streams[event["stream_id"]].append(event)
        rows = sorted(
            self.tables["incarnations"].values(), key=lambda r: (r["from_position"], r["created_at"])
        )
        self.incarnations = [Incarnation(r["id"], r["from_position"], r["partitions"]) for r in rows]
        self.history = History(self.incarnations)

    def by(self, event: Row) -> int:
        """In either version of the fact."""
        data = self.data[event["position"]]
        return int(data.get("by", data.get("amount", 0)))

    def published(self) -> list[Row]:
        return [event for event in self.events if event["type"] in PUBLISHED]

    def partition(self, event: Row) -> int:
        return _partition_of(event["stream_id"], self.history.at(event["position"]).partitions)


def check_bank(world: World, *, end: bool) -> None:
    books = Books(world)
    said = world.ledger.violated
    for kind, wrong in _wrong(world, books, end):
        said(kind, wrong)


def _wrong(world: World, books: Books, end: bool) -> Iterator[tuple[str, object]]:
    yield from _versions(books)
    yield from _commands(world, books)
    yield from _tags(books)
    yield from _relayed(world, books)
    yield from _erased(world, books)
    yield from _views(books)
    if end:
        yield from _chains(world, books)
        yield from _digest(books)


def _versions(books: Books) -> Iterator[tuple[str, object]]:
    for stream, events in books.streams.items():
        versions = [event["version"] for event in events]
        stated = books.tables["streams"].get(stream)
        if versions != list(range(1, len(versions) + 1)) or not stated or stated["version"] != len(versions):
            yield "versions of a stream are not 1 to n", f"{stream}: {versions}, stated {stated}"


def _commands(world: World, books: Books) -> Iterator[tuple[str, object]]:
    count: dict[str, int] = defaultdict(int)
    for data in books.data.values():
        count[data.get("ref", "")] += 1
    for ref, entry in world.ledger.entries.items():
        found = count[ref]
        whole = 2 if entry.wish.kind == "move" else 1
        if found > whole:
            yield "a command was carried out twice", f"{ref}: {found} facts"
        if 0 < found < whole:
            yield "a command was carried out in part", f"{ref}: {found} facts"
        if entry.outcome == "refused" and found:
            yield "a refused command had an effect", ref
        sure = entry.wish.kind in ("open", "add", "move", "remark") and not entry.withdrawn
        if entry.outcome == "acknowledged" and sure and not found:
            yield "an acknowledged command is not stored", f"{ref}: {entry.said}"
        if entry.outcome == "acknowledged" and not entry.withdrawn and entry.said:
            events = books.streams.get(entry.stream, [])[: entry.said.version]
            if len(events) < entry.said.version or sum(map(books.by, events)) != entry.said.amount:
                yield "an answer was not true", f"{ref}: {entry.said}"


def _tags(books: Books) -> Iterator[tuple[str, object]]:
    """At every moment of the log's history at most one account has a tag."""
    tagged: dict[UUID, str | None] = {}
    for event in books.events:
        stream = event["stream_id"]
        if event["type"] == "Tagged":
            tag = books.data[event["position"]].get("tag")
            if tag is not None and any(held == tag for other, held in tagged.items() if other != stream):
                yield "two accounts have one tag", f"position {event['position']}: {tag}"
            tagged[stream] = tag
        elif event["type"] == "Erased":
            tagged[stream] = None


def _relayed(world: World, books: Books) -> Iterator[tuple[str, object]]:
    """Whatever the relay's row is beyond was sent, and as it is; nothing was sent that is not."""
    row = books.tables["relay"].get(BANK.topic)
    log = {event["position"]: event for event in books.events}
    current = books.history.current
    sent: set[tuple[int, UUID]] = set()
    for partition in world.topic.partitions:
        for message in partition.ever:
            if not isinstance(message, PublicRecord):
                continue
            sent.add((message.position, message.event_id))
            event = log.get(message.position)
            if event is None or event["event_id"] != message.event_id:
                if current is not None and message.incarnation == current.id:
                    yield "the topic has what the log has not", message
            elif event["version"] != message.version or books.by(event) != message.data.get("by", 0):
                yield "a fact was published wrongly", f"{message.data} for {event['data']}"
    for event in books.published():
        if (
            row
            and event["position"] <= row["position"]
            and (event["position"], event["event_id"]) not in sent
        ):
            yield "a published fact was never sent", f"position {event['position']}"


def _chains(world: World, books: Books) -> Iterator[tuple[str, object]]:
    """In everything that was ever appended: what follows names what came before, once duplicates are dropped."""
    log = {(event["position"], event["event_id"]) for event in books.events}
    begins = {one.id: one.from_position for one in books.incarnations}
    for number, partition in enumerate(world.topic.partitions):
        last = dict(begins)
        for message in partition.ever:
            if not isinstance(message, PublicRecord) or (message.position, message.event_id) not in log:
                continue
            before = last.get(message.incarnation)
            if before is None or message.position <= before:
                continue
            if message.previous is None or message.previous > before:
                yield "a chain is broken", f"partition {number}: {message.previous} after {before}"
            last[message.incarnation] = message.position


def _digest(books: Books) -> Iterator[tuple[str, object]]:
    stated = books.tables["log_digests"]
    digest = digests.START
    for event in books.events:
        digest = digests.extend(digest, stored(event))
        row = stated.get(event["position"])
        if row is not None and row["digest"] != digest:
            yield "the log's digest is not the log's", f"position {event['position']}"
            return


def _erased(world: World, books: Books) -> Iterator[tuple[str, object]]:
    for person in world.ledger.erased:
        key = books.tables["person_keys"].get(person)
        if key is None or key["wrapped_key"] is not None or key["shredded_at"] is None:
            yield "an erased person's key is there", f"{person}: {key}"
        card = books.tables["cards_1"].get(person)
        remarks = [r for r in books.tables["lines_1"].values() if r["person_id"] == person and r["remark"]]
        if (card and card["name"] is not None) or remarks:
            yield "an erased person is in a view", person
    gone: dict[str, int] = {}
    for event in books.events:
        if event["type"] in ("Erased", "PersonForgotten"):
            gone.setdefault(str(event["stream_id"]), event["position"])
    for event in books.events:
        for person in json.loads(event["personal"]) if event["personal"] else ():
            if gone.get(person, event["position"]) < event["position"]:
                yield "something was sealed for an erased person", f"position {event['position']}"


def _views(books: Books) -> Iterator[tuple[str, object]]:
    for stream, events in books.streams.items():
        card = books.tables["cards_1"].get(stream)
        amount = sum(map(books.by, events))
        if events[0]["type"] != "Opened":
            continue
        if card is None or (card["amount"], card["version"]) != (amount, len(events)):
            yield "a view is not the fold of its log", f"{stream}: {card}, not {amount}"
        if amount < 0:
            yield "a rule was broken", f"{stream}: {amount}"
    if len(books.tables["lines_1"]) != sum(1 for e in books.events if e["type"] != "PersonForgotten"):
        yield "a view is not the fold of its log", "lines"
