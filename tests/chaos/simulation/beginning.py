"""What both databases hold before a history begins: as an older release left it."""

from functools import cache
from typing import Any
from uuid import UUID

from kernel.domain.provenance import Provenance
from kernel.storage.log import meta_json

from tests.chaos.simulation.domain import SOURCE
from tests.chaos.simulation.loop import START
from tests.chaos.simulation.plan import ACCOUNTS
from tests.chaos.simulation.store import Backup, Tables

STREAMS = [UUID(int=0xACC << 100 | number) for number in range(1, ACCOUNTS + 1)]
# Accounts that were opened, and added to, when `Added` still had its first version.
OLD = STREAMS[:2]
_AMOUNTS = (7, 4)
FIRST_INCARNATION = UUID(int=1)


@cache
def bank(partitions: int) -> Backup:
    tables: Tables = {}
    tables["views"] = _views("cards", "lines")
    tables["incarnations"] = {FIRST_INCARNATION: _incarnation(partitions)}
    tables["published_types"] = {
        name: {"type": name, "from_position": 0}
        for name in (
            f"crm.{SOURCE}.{fact}.v1" for fact in ("account-opened", "account-grew", "person-erased")
        )
    }
    tables["events"], tables["streams"], tables["cards_1"], tables["lines_1"] = {}, {}, {}, {}
    tables["versions"] = {}
    for stream in OLD:
        for version, (kind, data) in enumerate(_history(stream), 1):
            position = len(tables["events"]) + 1
            event = _event(stream, version, position, kind, data)
            tables["events"][position] = event
            tables["versions"][stream, version] = event
            line = {"id": event["event_id"], "account_id": stream, "person_id": None, "remark": None}
            tables["lines_1"][event["event_id"]] = line
        tables["streams"][stream] = {"stream_id": stream, "category": "account", "version": 3, "bytes": 900}
        card = {"id": stream, "name": None, "amount": sum(_AMOUNTS), "version": 3}
        tables["cards_1"][stream] = card
    return Backup(tables, {"events": len(tables["events"])}, 0.0)


@cache
def reader(partitions: int) -> Backup:
    tables: Tables = {"views": _views("sums"), "incarnations": {FIRST_INCARNATION: _incarnation(partitions)}}
    return Backup(tables, {}, 0.0)


def _history(stream: UUID) -> list[tuple[str, str]]:
    ref = f"old{stream.int & 0xFF}"
    added = [("Added", f'{{"amount":{amount},"ref":"{ref}+{amount}"}}') for amount in _AMOUNTS]
    return [("Opened", f'{{"ref":"{ref}"}}'), *added]


def _event(stream: UUID, version: int, position: int, kind: str, data: str) -> dict[str, Any]:
    said = Provenance(actor="old", command_id=UUID(int=position), correlation_id="old")
    return {
        "position": position,
        "stream_id": stream,
        "version": version,
        "event_id": UUID(int=0xE << 120 | position),
        "type": kind,
        "schema_version": 1,
        "data": data,
        "personal": None,
        "personal_digest": None,
        "meta": meta_json(said),
        "occurred_at": START,
        "recorded_at": START,
    }


def _views(*names: str) -> dict[Any, Any]:
    said = {"version": 1, "shape": 1, "parameters": "", "live": True, "epoch": 1}
    return {(name, 1): {"name": name, **said} for name in names}


def _incarnation(partitions: int) -> dict[str, Any]:
    here = {"system_identifier": 7, "timeline": 1, "created_at": START}
    return {"id": FIRST_INCARNATION, "from_position": 0, "partitions": partitions, **here}
