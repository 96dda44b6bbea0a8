"""Kafka's topics, one for each service: made on purpose, never by accident."""

import asyncio
from collections.abc import Sequence

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, for_code

from crm import services
from crm.failures import Failure

_EXISTS = 36
DAY_MS = 24 * 3600 * 1000


def topic_of(name: str) -> str:
    return f"crm.{name}.v1"


def ensure(bootstrap: str, *, partitions: int, retention_days: int, replicas: int) -> dict[str, str]:
    """What became of each topic; a topic that is there keeps its settings."""
    topics = [
        NewTopic(
            topic_of(name),
            partitions,
            replicas,
            topic_configs={"retention.ms": str(retention_days * DAY_MS if retention_days else -1)},
        )
        for name in services.NAMES
    ]
    return asyncio.run(_ensure(bootstrap, topics, partitions))


async def _ensure(bootstrap: str, topics: Sequence[NewTopic], partitions: int) -> dict[str, str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=15_000)
    try:
        await admin.start()
    except KafkaError as error:
        await admin.close()
        raise Failure(f"The Kafka broker {bootstrap} cannot be reached: {error}.") from None
    try:
        answer = await admin.create_topics(topics)
        became: dict[str, str] = {}
        for name, code, *_ in answer.topic_errors:
            if code not in (0, _EXISTS):
                raise Failure(f"The topic {name} could not be made: {for_code(code).description}.")
            became[name] = "was there" if code == _EXISTS else "made"
        for described in await admin.describe_topics(list(became)):
            there = len(described["partitions"])
            if there != partitions:
                became[described["topic"]] += f", with {there} partitions instead of {partitions}"
        return became
    except KafkaError as error:
        raise Failure(f"The topics could not be made: {error}.") from None
    finally:
        await admin.close()
