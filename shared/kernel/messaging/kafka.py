"""What our Kafka clients have in common: records as CloudEvents in binary mode, their errors, and a quick end."""

import asyncio
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias
from uuid import UUID

import aiokafka
from aiokafka.errors import KafkaError
from pydantic_core import to_json

from kernel.messaging.publisher import Heartbeat
from kernel.messaging.records import HEARTBEAT, PublicRecord, attributes, from_attributes, timestamp
from kernel.runtime.settings import KafkaSecurity, KafkaSettings, SaslMechanism
from kernel.storage.codec import parsed

# aiokafka ships no types.
Consumer: TypeAlias = aiokafka.AIOKafkaConsumer
Producer: TypeAlias = aiokafka.AIOKafkaProducer
Place: TypeAlias = aiokafka.TopicPartition
Header = tuple[str, bytes]

MIB = 1024 * 1024
CLIENT_ID = "guanxi"
JSON = b"application/json"
CONTENT: Header = ("content-type", JSON)
_END_WITHIN = 1.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where Kafka is, and how we show who we are."""

    bootstrap: str
    security: KafkaSecurity = KafkaSecurity.PLAINTEXT
    ca_file: Path | None = None
    mechanism: SaslMechanism = SaslMechanism.PLAIN
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, settings: KafkaSettings) -> "Cluster":
        return cls(
            settings.kafka_bootstrap,
            settings.kafka_security_protocol,
            settings.kafka_ca_file,
            settings.kafka_sasl_mechanism or SaslMechanism.PLAIN,
            settings.kafka_sasl_username or None,
            settings.kafka_sasl_password.get_secret_value() or None,
        )

    def client(self) -> dict[str, Any]:
        """What every client of aiokafka is made with."""
        return {
            "bootstrap_servers": self.bootstrap,
            "client_id": CLIENT_ID,
            # Below every deadline of ours, so that aiokafka gives up a silent connection by itself and closes it.
            "request_timeout_ms": 4000,
            "retry_backoff_ms": 100,
            "connections_max_idle_ms": 540_000,
            "security_protocol": self.security.value,
            "ssl_context": _trust(self.ca_file) if self.security.encrypts else None,
            "sasl_mechanism": self.mechanism.value,
            "sasl_plain_username": self.username,
            "sasl_plain_password": self.password,
        }


@cache
def _trust(ca_file: Path | None) -> ssl.SSLContext:
    """Certificates are read once; there is a client for every question that the relay asks."""
    return ssl.create_default_context(cafile=ca_file)


class BrokerTrouble(ConnectionError):
    """Kafka does not do what it was asked; it may later."""


class TopicUnfit(BrokerTrouble):
    """The topic is not there or not as it must be; `crm topics` or an operator puts that right."""


class BrokenRecord(Exception):
    """What lies at this offset is not one of our records. It is never skipped."""

    def __init__(self, topic: str, partition: int, offset: int, reason: str) -> None:
        super().__init__(f"{topic}, partition {partition}, offset {offset}: {reason}")


@dataclass(frozen=True, slots=True)
class Encoded:
    key: bytes | None
    value: bytes
    headers: list[Header]


def encode(message: PublicRecord | Heartbeat, last: UUID | None = None) -> Encoded:
    """`last` is the event id of the record at a heartbeat's `previous`, where it is known."""
    if isinstance(message, Heartbeat):
        return Encoded(None, to_json({"digest": message.digest.hex()}), _headers(_beat(message, last)))
    headers = _headers(attributes(message))
    if message.traceparent is not None:
        # Where tracing tools look for it; the attribute is for readers of CloudEvents.
        headers.append(("traceparent", message.traceparent.encode()))
    return Encoded(str(message.stream_id).encode(), to_json(message.data), headers)


def _headers(said: Mapping[str, str]) -> list[Header]:
    return [CONTENT, *[(f"ce_{name}", value.encode()) for name, value in said.items()]]


def _beat(beat: Heartbeat, last: UUID | None) -> dict[str, str]:
    at = timestamp(beat.at)
    said = {
        "specversion": "1.0",
        "id": f"{beat.incarnation}-{beat.partition}-{at}",
        "source": f"/{beat.source}",
        "type": HEARTBEAT,
        "time": at,
        "position": str(beat.position),
        "previous": str(beat.previous),
        "incarnation": str(beat.incarnation),
        "digest": beat.digest.hex(),
    }
    return said if last is None else said | {"previousid": str(last)}


def decode(message: Any) -> PublicRecord | Heartbeat:
    """From aiokafka's record. Raises `BrokenRecord`; attributes that we do not know are a newer release's."""
    try:
        said = said_by(message.headers)
        if said["specversion"] != "1.0":
            raise ValueError(f"specversion {said['specversion']!r}")
        data = parsed(message.value or b"")
        if not isinstance(data, dict):
            raise ValueError("the body is not a JSON object")
        if said["type"] == HEARTBEAT:
            return _heartbeat(said, message.partition)
        int(said["previous"])
        return from_attributes(said, data, message.partition)
    except KeyError as error:
        reason = f"header ce_{error.args[0]} is missing"
    except ValueError as error:
        reason = str(error)
    raise BrokenRecord(message.topic, message.partition, message.offset, reason)


def said_by(headers: Sequence[Header]) -> dict[str, str]:
    """The context attributes of a message in binary mode."""
    if dict(headers).get("content-type") != JSON:
        raise ValueError("content-type is not application/json")
    return {name[3:]: value.decode() for name, value in headers if name.startswith("ce_")}


def _heartbeat(said: Mapping[str, str], partition: int) -> Heartbeat:
    return Heartbeat(
        source=said["source"].lstrip("/"),
        incarnation=UUID(said["incarnation"]),
        partition=partition,
        position=int(said["position"]),
        previous=int(said["previous"]),
        at=datetime.fromisoformat(said["time"]),
        digest=bytes.fromhex(said["digest"]),
    )


def new_consumer(cluster: Cluster, *, gather: float = 0.0) -> Consumer:
    """Without a group: which partitions it reads, and from where, is said by `assign` and `seek` alone."""
    return Consumer(
        **cluster.client(),
        group_id=None,
        auto_offset_reset="none",
        enable_auto_commit=False,
        isolation_level="read_uncommitted",
        check_crcs=True,
        fetch_min_bytes=MIB if gather else 1,
        fetch_max_wait_ms=int(gather * 1000) or 500,
        fetch_max_bytes=16 * MIB,
        max_partition_fetch_bytes=4 * MIB,
        # How soon new partitions are noticed.
        metadata_max_age_ms=10_000,
    )


@contextmanager
def passing(topic: str) -> Iterator[None]:
    """aiokafka's errors are RuntimeErrors; our relay and followers try again after an OSError."""
    try:
        yield
    except KafkaError as error:
        raise BrokerTrouble(f"{topic}: {error!r}") from error


async def end_consumer(consumer: Consumer) -> None:
    consumer._closed = True
    await end_client(consumer._client, consumer._fetcher, consumer._coordinator)


async def end_client(client: Any, *parts: object) -> None:
    """Cancels the tasks of a client and of its parts and drops its connections.

    The `stop` of aiokafka waits until everything is sent, which is forever while the broker is down.
    """
    tasks = {task for task in asyncio.all_tasks() if _runs_for(task, {id(part) for part in (client, *parts)})}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=_END_WITHIN)
    closing = []
    for connection in list(client._conns.values()):
        writer = connection._writer
        closing.append(connection.close())
        if writer is not None:
            # A broker that has stopped reading would keep an orderly close waiting.
            writer.transport.abort()
    if closing:
        await asyncio.wait(closing, timeout=_END_WITHIN)


def _runs_for(task: "asyncio.Task[Any]", owners: set[int]) -> bool:
    frame = getattr(task.get_coro(), "cr_frame", None)
    return frame is not None and id(frame.f_locals.get("self")) in owners
