"""The topics: looked at before they are used, and made by `crm topics`, never by accident."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeAlias

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from kernel.messaging.kafka import MIB, Cluster, TopicUnfit, end_client, passing

Admin: TypeAlias = AIOKafkaAdminClient

# What a record may weigh at the most: an accepted fact is half of that.
RECORD_BYTES = MIB
_PATIENCE = 10.0
_DAY_MS = 24 * 60 * 60 * 1000
_ASKED = ("max.message.bytes", "cleanup.policy", "retention.ms")


@dataclass(frozen=True, slots=True)
class Topic:
    """As it is, which need not be as it was asked for. With no `retention` records are kept for ever."""

    name: str
    partitions: int
    max_message_bytes: int
    cleanup: str
    retention: timedelta | None
    created: bool = False


async def ensure_topics(
    cluster: Cluster,
    names: Sequence[str],
    partitions: int,
    *,
    replication: int = 1,
    retention_days: int = 21,
    max_message_bytes: int = 2 * MIB,
) -> list[Topic]:
    """Makes those that are missing. One that is there is answered as it is and never changed.

    With `retention_days=0` records are kept for ever.
    """
    settings = {
        "cleanup.policy": "delete",
        "retention.ms": str(retention_days * _DAY_MS or -1),
        "max.message.bytes": str(max_message_bytes),
        # A producer's wrong clock must not make records expire.
        "message.timestamp.type": "LogAppendTime",
        "min.insync.replicas": str(max(1, replication - 1)),
    }
    async with administering(cluster) as admin:
        there = await describe(admin, names)
        missing = [name for name in names if name not in there]
        made = [NewTopic(name, partitions, replication, topic_configs=settings) for name in missing]
        if made:
            _check_made(await admin.create_topics(made))
        while len(there) < len(set(names)):
            there = await describe(admin, names)
            await asyncio.sleep(0.05)
    return [replace(there[name], created=name in missing) for name in names]


async def fit_topic(cluster: Cluster, name: str) -> Topic:
    """The topic to publish to. Raises `TopicUnfit` where records could be refused or vanish."""
    async with administering(cluster) as admin:
        topic = (await describe(admin, [name])).get(name)
    if topic is None:
        raise missing_topic(name)
    if topic.max_message_bytes < RECORD_BYTES:
        raise TopicUnfit(
            f"topic {name} has max.message.bytes={topic.max_message_bytes}, it must be {RECORD_BYTES} at least: "
            "`crm topics` makes topics that fit"
        )
    if topic.cleanup != "delete":
        raise TopicUnfit(
            f"topic {name} has cleanup.policy={topic.cleanup}, it must be delete: `crm topics` makes topics that fit"
        )
    return topic


def missing_topic(name: str) -> TopicUnfit:
    return TopicUnfit(f"there is no topic {name}: `crm topics` makes it")


@asynccontextmanager
async def administering(cluster: Cluster) -> AsyncIterator[Admin]:
    """A client for a few requests; all of them together end within ten seconds."""
    admin = Admin(**cluster.client())
    try:
        with passing(cluster.bootstrap):
            async with asyncio.timeout(_PATIENCE):
                await admin.start()
                yield admin
    finally:
        admin._closed = True
        await end_client(admin._client)


async def describe(admin: Admin, names: Sequence[str]) -> Mapping[str, Topic]:
    """Those of the topics that exist."""
    counts = {
        topic["topic"]: len(topic["partitions"])
        for topic in await admin.describe_topics(list(names))
        if topic["error_code"] == 0
    }
    if not counts:
        return {}
    asked = [ConfigResource(ConfigResourceType.TOPIC, name, dict.fromkeys(_ASKED)) for name in counts]
    found: dict[str, dict[str, str]] = {}
    for answer in await admin.describe_configs(asked):
        for code, _, _, name, entries in answer.resources:
            if code == 0:
                found[name] = {entry[0]: entry[1] for entry in entries}
    return {name: _topic(name, count, found[name]) for name, count in counts.items() if name in found}


def _topic(name: str, partitions: int, settings: Mapping[str, str]) -> Topic:
    size, cleanup, milliseconds = (settings[asked] for asked in _ASKED)
    retention = None if milliseconds == "-1" else timedelta(milliseconds=int(milliseconds))
    return Topic(name, partitions, int(size), cleanup, retention)


def _check_made(answer: object) -> None:
    for name, code, message in answer.topic_errors:  # type: ignore[attr-defined]
        if code and for_code(code) is not TopicAlreadyExistsError:
            raise TopicUnfit(f"topic {name} could not be made: {message or for_code(code).__name__}")
