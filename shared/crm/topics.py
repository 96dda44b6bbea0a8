"""Kafka's topics, one for each service: made on purpose, never by accident."""

import asyncio

from kernel.messaging.kafka import BrokerTrouble, Cluster, TopicUnfit
from kernel.messaging.service import topic_of
from kernel.messaging.topics import ensure_topics

from crm import services
from crm.failures import Failure


def ensure(cluster: Cluster, *, partitions: int, retention_days: int, replicas: int) -> dict[str, str]:
    """What became of each topic; a topic that is there keeps its settings."""
    names = [topic_of(name) for name in services.NAMES]
    making = ensure_topics(cluster, names, partitions, replication=replicas, retention_days=retention_days)
    try:
        topics = asyncio.run(making)
    except TopicUnfit as error:
        raise Failure(f"Not all topics could be made: {error}.") from None
    except (BrokerTrouble, TimeoutError) as error:
        reason = error.__cause__ or "it does not answer"
        raise Failure(f"The Kafka broker {cluster.bootstrap} cannot be reached: {reason}.") from None
    became = {}
    for topic in topics:
        became[topic.name] = "made" if topic.created else "was there"
        if topic.partitions != partitions:
            became[topic.name] += f", with {topic.partitions} partitions instead of {partitions}"
    return became
