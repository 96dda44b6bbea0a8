"""The statements of the lease, the relay, the feed and the incarnations."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from kernel.messaging import erasures, feed, heartbeats, incarnations, progress, reconcile
from kernel.storage import lease, locks, log

from tests.chaos.simulation.server import Request, Server
from tests.chaos.simulation.statements import of_backend, on, picked
from tests.chaos.simulation.store import KEY_SHARE, LOG, UPDATE, Row, Transaction

LASTS = timedelta(seconds=2)


@on(lease._QUEUE)
def queue(tx: Transaction, name: str) -> list[Row]:
    row = tx.get("leases", name)
    if row is None or row["until"] >= tx.store.now():
        return []
    tx.lock("leases", name, UPDATE)
    return [{"epoch": row["epoch"]}]


@on(lease._TAKE)
def take(tx: Transaction, name: str, holder: str) -> list[Row]:
    tx.lock("leases", name)
    row = tx.get("leases", name)
    now = tx.store.now()
    if row is not None and row["until"] >= now:
        return []
    epoch = 1 if row is None else row["epoch"] + 1
    tx.put("leases", name, {"name": name, "epoch": epoch, "holder": holder, "until": now + LASTS})
    return [{"epoch": epoch}]


@on(lease._RENEW)
def renew(tx: Transaction, name: str, epoch: int) -> list[Row]:
    return _until(tx, name, epoch, LASTS)


@on(lease._GIVE_BACK)
def give_back(tx: Transaction, name: str, epoch: int) -> list[Row]:
    return _until(tx, name, epoch, timedelta(seconds=-1))


def _until(tx: Transaction, name: str, epoch: int, lasts: timedelta) -> list[Row]:
    row = tx.get("leases", name)
    if row is None or row["epoch"] != epoch:
        return []
    tx.lock("leases", name)
    tx.put("leases", name, {**row, "until": tx.store.now() + lasts})
    return [{"epoch": epoch}]


@on(lease._FENCE)
def fence(tx: Transaction, name: str, epoch: int) -> list[Row]:
    row = tx.get("leases", name)
    if row is None or row["epoch"] != epoch:
        return []
    tx.lock("leases", name, KEY_SHARE)
    tx.bounded = True
    return [{"epoch": epoch}]


@of_backend(locks._CUT)
def cut(server: Server, _: Request) -> list[Row]:
    """A holder that waits for its client, three seconds after its transaction began. One in COMMIT never waits so."""
    holder = server.holder_of_log()
    if holder is None or holder.transaction is None or (holder.busy and not holder.stuck):
        return []
    if server.loop.time() - holder.transaction.began < 3 or holder.committing:
        return []
    holder.end(ConnectionResetError("terminated"))
    return [{"pid": 1, "application_name": "model"}]


@on(log._AFTER)
def read_after(tx: Transaction, position: int, limit: int) -> list[Row]:
    found: list[Row] = []
    for row in tx.after("events", position):
        if len(found) == limit:
            break
        found.append(row)
    return found


@on(log._QUIET)
def quiet(tx: Transaction) -> list[Row]:
    return [{"case": None if tx.store.holder(LOG) else tx.store.now()}]


@on("SELECT event_id FROM events WHERE position = $1")
def event_at(tx: Transaction, position: int) -> list[Row]:
    row = tx.get("events", position)
    return [{"event_id": row["event_id"]}] if row else []


@on(feed._INCARNATIONS)
def all_incarnations(tx: Transaction) -> list[Row]:
    rows = sorted(tx.rows("incarnations"), key=lambda row: (row["from_position"], row["created_at"]))
    return picked("id from_position partitions", rows)


@on(incarnations._CURRENT)
def incarnation(tx: Transaction, which: UUID) -> list[Row]:
    row = tx.get("incarnations", which)
    return [row] if row else []


@on(feed._TYPES)
def types(tx: Transaction) -> list[Row]:
    return tx.rows("published_types")


@on(feed._REGISTER)
def register(tx: Transaction, names: Sequence[str]) -> int:
    for name in names:
        tx.lock("published_types", name)
        if tx.get("published_types", name) is None:
            tx.put("published_types", name, {"type": name, "from_position": tx.last("events")})
    return len(names)


@on(progress._ROW)
def relay_row(tx: Transaction, topic: str) -> list[Row]:
    row = tx.get("relay", topic)
    return [row] if row else []


@on(progress._DIGEST)
def digest(tx: Transaction, position: int) -> list[Row]:
    covered = [row for row in tx.rows("log_digests") if row["position"] <= position]
    newest = max(covered, key=lambda row: int(row["position"]), default=None)
    return [{"digest": newest["digest"]}] if newest else []


@on(progress._SAVE)
def save(tx: Transaction, topic: str, which: UUID, position: int, event_id: UUID, partitions: str) -> int:
    tx.lock("relay", topic)
    row: dict[str, Any] = {"topic": topic, "incarnation": which, "position": position}
    tx.put("relay", topic, {**row, "event_id": event_id, "partitions": partitions})
    return 1


@on(progress._SAVE_DIGEST)
def save_digest(tx: Transaction, position: int, digest: bytes) -> int:
    tx.lock("log_digests", position, UPDATE)
    if tx.get("log_digests", position) is None:
        tx.put("log_digests", position, {"position": position, "digest": digest})
    return 1


@on(log._END)
def end(tx: Transaction) -> list[Row]:
    return [{"coalesce": tx.last("events")}]


@on(erasures._SHREDDED)
def shredded(tx: Transaction) -> list[Row]:
    return picked("person_id", [row for row in tx.rows("person_keys") if row["shredded_at"] is not None])


@on(erasures._NEWS)
def erasing(tx: Transaction, after: int, upto: int, types: Sequence[str]) -> list[Row]:
    rows = [row for row in tx.after("events", after) if row["position"] <= upto and row["type"] in types]
    return picked("stream_id", rows)


@on(erasures._ERASED)
def erased(tx: Transaction, persons: Sequence[UUID]) -> list[Row]:
    rows = [row for person in persons if (row := tx.get("person_keys", person))]
    return picked("person_id", [row for row in rows if row["shredded_at"] is not None])


@on(heartbeats._NEWEST)
def newest_and_held(tx: Transaction, name: str, epoch: int) -> list[Row]:
    lease = tx.get("leases", name)
    return [{"position": tx.last("events"), "held": lease is not None and lease["epoch"] == epoch}]


@on(reconcile._RECORDED)
def recorded(tx: Transaction, positions: Sequence[int]) -> list[Row]:
    return picked("position recorded_at", [row for one in positions if (row := tx.get("events", one))])
