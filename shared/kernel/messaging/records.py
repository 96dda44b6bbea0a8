"""The published record: a contract with its places and times; the same bytes of meaning on Kafka and in the feed."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from pydantic import TypeAdapter

from kernel.messaging.service import Service, public_type
from kernel.storage.catalog import Catalog
from kernel.storage.codec import members
from kernel.storage.loading import recorded_from
from kernel.storage.log import StoredEvent
from kernel.storage.persons import person

_M, _32 = 0x5BD1E995, 0xFFFFFFFF
HEARTBEAT = "crm.heartbeat.v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicRecord:
    """`previous` is the position of the record before it in its partition; None in the feed, which is one partition."""

    source: str
    incarnation: UUID
    partition: int
    position: int
    previous: int | None
    event_id: UUID
    stream_id: UUID
    version: int
    type: str
    data: Mapping[str, Any]
    occurred_at: datetime
    recorded_at: datetime
    correlation_id: str
    causation_id: str
    traceparent: str | None


def partition_of(stream_id: UUID, partitions: int) -> int:
    """Kafka's own default partitioner over the key as text, so that a producer in any language agrees."""
    return (murmur2(str(stream_id).encode()) & 0x7FFFFFFF) % partitions


def murmur2(key: bytes) -> int:
    """MurmurHash2, 32 bits, with Kafka's seed; written out, because the library loads a whole Kafka client with it."""
    length = len(key)
    whole = length & ~3
    h = 0x9747B28C ^ length
    for (word,) in struct.iter_unpack("<I", key[:whole]):
        k = word * _M & _32
        h = (h * _M & _32) ^ ((k ^ k >> 24) * _M & _32)
    if length > whole:
        h = (h ^ int.from_bytes(key[whole:], "little")) * _M & _32
    h = (h ^ h >> 13) * _M & _32
    return h ^ h >> 15


class Contracts:
    """The published language of one service: class ↔ type name ↔ JSON."""

    def __init__(self, service: str, union: object) -> None:
        self._adapters: dict[type, TypeAdapter[Any]] = {cls: TypeAdapter(cls) for cls in members(union)}
        self._names = {cls: public_type(service, cls) for cls in self._adapters}
        self.classes = {name: cls for cls, name in self._names.items()}

    @property
    def types(self) -> tuple[str, ...]:
        return tuple(self.classes)

    def name(self, contract: object) -> str:
        return self._names[type(contract)]

    def dump(self, contract: object) -> dict[str, Any]:
        return cast(dict[str, Any], self._adapters[type(contract)].dump_python(contract, mode="json"))

    def load(self, type_: str, data: str) -> object:
        """From JSON as it lies: reading it into objects first, and then those, takes longer."""
        return cast(object, self._adapters[self.classes[type_]].validate_json(data))


class Translator:
    """Stored event → published record, or nothing. It never holds a key, so nothing personal can pass."""

    def __init__(self, service: Service, catalog: Catalog) -> None:
        self._service = service
        self._catalog = catalog
        self._contracts = Contracts(service.name, service.contracts)

    @property
    def types(self) -> tuple[str, ...]:
        return self._contracts.types

    def translate(
        self, event: StoredEvent, incarnation: UUID, partition: int, previous: int | None = None
    ) -> PublicRecord | None:
        aggregate = self._catalog.of_type(event.type)
        # A person forgotten here was told of by the service where they are at home.
        contract = (
            None if aggregate is person else self._service.publish(recorded_from(aggregate, event, None))
        )
        if contract is None:
            return None
        meta = event.meta
        return PublicRecord(
            source=self._service.name,
            incarnation=incarnation,
            partition=partition,
            position=event.position,
            previous=previous,
            event_id=event.event_id,
            stream_id=event.stream_id,
            version=event.version,
            type=self._contracts.name(contract),
            data=self._contracts.dump(contract),
            occurred_at=event.occurred_at,
            recorded_at=event.recorded_at,
            correlation_id=meta["correlation_id"],
            causation_id=meta["command_id"],
            traceparent=meta.get("traceparent"),
        )


def attributes(record: PublicRecord) -> dict[str, Any]:
    """CloudEvents 1.0 context attributes and our extensions; what is None is left out."""
    said = {
        "specversion": "1.0",
        "id": str(record.event_id),
        "source": f"/{record.source}",
        "type": record.type,
        "time": timestamp(record.occurred_at),
        "subject": str(record.stream_id),
        "dataschema": f"/schemas/{record.type}",
        "sequence": f"{record.version:010d}",
        "partitionkey": str(record.stream_id),
        "correlationid": record.correlation_id,
        "causationid": record.causation_id,
        "position": str(record.position),
        "incarnation": str(record.incarnation),
        "recordedtime": timestamp(record.recorded_at),
    }
    if record.previous is not None:
        said["previous"] = str(record.previous)
    if record.traceparent is not None:
        said["traceparent"] = record.traceparent
    return said


def cloud_event(record: PublicRecord) -> dict[str, Any]:
    """The structured form, as the feed sends it."""
    return attributes(record) | {
        "datacontenttype": "application/json",
        "partition": record.partition,
        "data": record.data,
    }


def from_attributes(said: Mapping[str, str], data: Mapping[str, Any], partition: int) -> PublicRecord:
    previous = said.get("previous")
    return PublicRecord(
        source=said["source"].lstrip("/"),
        incarnation=UUID(said["incarnation"]),
        partition=partition,
        position=int(said["position"]),
        previous=None if previous is None else int(previous),
        event_id=UUID(said["id"]),
        stream_id=UUID(said["subject"]),
        version=int(said["sequence"]),
        type=said["type"],
        data=data,
        occurred_at=datetime.fromisoformat(said["time"]),
        recorded_at=datetime.fromisoformat(said["recordedtime"]),
        correlation_id=said["correlationid"],
        causation_id=said["causationid"],
        traceparent=said.get("traceparent"),
    )


def timestamp(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
