"""The statements of the appending transaction."""

from collections.abc import Sequence
from itertools import islice
from typing import Any
from uuid import UUID

from kernel.storage import batch, loading, log, writes
from kernel.storage.views import Rows

from tests.chaos.simulation.domain import cards, lines
from tests.chaos.simulation.server import Request, Server
from tests.chaos.simulation.statements import columns, of_backend, on, picked
from tests.chaos.simulation.store import LOG, UPDATE, Row, Transaction

PARTS = {
    "events": "stream_id version event_id type schema_version data personal personal_digest meta occurred_at",
    "streams": "stream_id category version bytes",
    "person_keys": "person_id wrapped_key",
    "idempotency": "principal key fingerprint command_id status stream_id version",
    "unique_values": "kind digest stream_id",
}


@of_backend(log._BEGIN, log._BEGIN_17)
def begin(server: Server, request: Request) -> int:
    transaction = request.backend.begin()
    transaction.bounded = True
    server.store.lock(transaction, LOG)
    return 0


@on(log._HEAD)
def head(tx: Transaction, principals: Sequence[str], keys: Sequence[str]) -> list[Row]:
    known = max(tx.rows("incarnations"), key=lambda r: (r["from_position"], r["created_at"]), default=None)
    here = {
        "position": tx.last("events"),
        "epoch": max((row["epoch"] for row in tx.rows("views")), default=0),
        "timeline": tx.store.timeline,
        "system_identifier": tx.store.system_identifier,
        "now": tx.store.now(),
        "incarnation": known and known["id"],
        "known_system": known and known["system_identifier"],
        "known_timeline": known and known["timeline"],
        "partitions": known and known["partitions"],
    }
    asked = zip(principals, keys, strict=True)
    claims = [row for key in asked if (row := tx.get("idempotency", key)) is not None]
    return [{**here, **claim} for claim in claims] or [{**here, "principal": None}]


@on(
    """INSERT INTO incarnations (id, from_position, partitions, system_identifier, timeline)
           VALUES ($1, $2, $3, $4, $5)"""
)
def new_incarnation(
    tx: Transaction, which: UUID, begins: int, partitions: int, system: int, line: int
) -> int:
    row = {"id": which, "from_position": begins, "partitions": partitions, "created_at": tx.store.now()}
    tx.insert("incarnations", which, {**row, "system_identifier": system, "timeline": line})
    return 1


@on(loading._STREAMS)
def heads(tx: Transaction, streams: Sequence[UUID]) -> list[Row]:
    return [row for stream in streams if (row := tx.get("streams", stream))]


@on(loading._KEYS)
def keys(tx: Transaction, persons: Sequence[UUID]) -> list[Row]:
    return [row for person in persons if (row := tx.get("person_keys", person))]


@on(log._LOAD)
def load(tx: Transaction, streams: Sequence[UUID]) -> list[Row]:
    own = [row for row in (tx.changes.get("events") or {}).values() if row]
    found: list[Row] = []
    for stream in sorted(streams):
        rows = [*tx.store.index.get(stream, ()), *(row for row in own if row["stream_id"] == stream)]
        found += sorted(rows, key=lambda row: int(row["version"]))
    return found


@on(batch._UNIQUE)
def unique(tx: Transaction, kinds: Sequence[str], digests: Sequence[bytes]) -> list[Row]:
    return [row for key in zip(kinds, digests, strict=True) if (row := tx.get("unique_values", key))]


@on(writes._WRITE)
def write(tx: Transaction, *given: Sequence[Any]) -> list[Row]:
    left = iter(given)
    part = {name: columns(said, *islice(left, len(said.split()))) for name, said in PARTS.items()}
    for stream in part["streams"]:
        tx.lock("streams", stream["stream_id"])
    for event in part["events"]:
        tx.lock("versions", (event["stream_id"], event["version"]), UPDATE)
    for event in part["events"]:
        tx.insert("versions", (event["stream_id"], event["version"]), event)
    appended = append(tx, part["events"])
    for stream in part["streams"]:
        was = tx.get("streams", stream["stream_id"])
        stream["bytes"] += was["bytes"] if was else 0
        tx.put("streams", stream["stream_id"], stream)
    for key in part["person_keys"]:
        tx.insert("person_keys", key["person_id"], {**key, "shredded_at": None})
    for claim in part["idempotency"]:
        tx.insert("idempotency", (claim["principal"], claim["key"]), claim)
    for value in part["unique_values"]:
        tx.lock("unique_values", (value["kind"], value["digest"]), UPDATE)
        tx.put("unique_values", (value["kind"], value["digest"]), value)
    return appended


@on(writes._GIVE_BACK)
def give_back(tx: Transaction, kinds: Sequence[str], digests: Sequence[bytes], *timers: Sequence[Any]) -> int:
    """Nothing that is simulated waits for a time."""
    for key in zip(kinds, digests, strict=True):
        tx.lock("unique_values", key, UPDATE)
        tx.delete("unique_values", key)
    return len(timers[0])


def append(tx: Transaction, events: Sequence[dict[str, Any]]) -> list[Row]:
    for event in events:
        event["position"] = tx.store.draw("events")
        event["recorded_at"] = tx.store.now()
        tx.put("events", event["position"], event)
    return picked("event_id position recorded_at", events)


@on(writes._ALONE)
def alone(_: Transaction) -> int:
    """No view of rows is made again here, so that nobody shares this lock."""
    return 0


@on(writes._VERSIONS)
def versions(tx: Transaction) -> list[Row]:
    return [
        {"table": f"{view.name}_1", "name": view.name, "columns": view.statements.names}
        for view in (cards, lines)
    ]


@on(writes._SHRED)
def shred(tx: Transaction, persons: Sequence[UUID]) -> int:
    for person in persons:
        tx.lock("person_keys", person)
    for person in persons:
        held = tx.get("person_keys", person)
        at = (held and held["shredded_at"]) or tx.store.now()
        tx.put("person_keys", person, {"person_id": person, "wrapped_key": None, "shredded_at": at})
    return len(persons)


@on("SELECT name, version, shape FROM views WHERE live")
def live(tx: Transaction) -> list[Row]:
    return [row for row in tx.rows("views") if row["live"]]


def _view(view: Rows) -> None:
    table, said = f"{view.name}_1", view.statements
    names = " ".join(said.names)

    @on(said._load.format(table))
    def load_rows(tx: Transaction, keys: Sequence[UUID]) -> list[Row]:
        return [row for key in keys if (row := tx.get(table, key))]

    @on(said._upsert.format(table))
    def upsert(tx: Transaction, *given: Sequence[Any]) -> int:
        for row in columns(names, *given):
            tx.lock(table, row["id"])
            tx.put(table, row["id"], row)
        return len(given[0])

    @on(said._delete.format(table))
    def delete(tx: Transaction, keys: Sequence[UUID]) -> int:
        for key in keys:
            tx.lock(table, key, UPDATE)
            tx.delete(table, key)
        return len(keys)

    person = view.person
    if person is None:
        return

    @on(said.blanking(said.names).format(table))
    def blank(tx: Transaction, persons: Sequence[UUID]) -> int:
        rows = [row for row in tx.rows(table) if row[person.key] in persons]
        for row in rows:
            tx.lock(table, row["id"])
            tx.put(table, row["id"], {**row, **dict.fromkeys(person.blank)})
        return len(rows)


for one in (cards, lines):
    _view(one)
