"""Topics are made as they must be, and one that is there is never changed behind anybody's back."""

from datetime import timedelta
from uuid import uuid4

import pytest
from kernel.messaging.kafka import MIB, BrokerTrouble, Cluster, TopicUnfit
from kernel.messaging.topics import Topic, ensure_topics

pytestmark = pytest.mark.kafka


async def test_missing_topics_are_made_and_the_others_are_answered_as_they_are(kafka_bootstrap: str) -> None:
    first, second = (f"crm.test-{uuid4().hex}.v1" for _ in range(2))
    assert await ensure_topics(Cluster(kafka_bootstrap), [first], 2) == [
        Topic(first, 2, 2 * MIB, "delete", timedelta(days=21), created=True)
    ]
    assert await ensure_topics(Cluster(kafka_bootstrap), [second, first], 5, retention_days=0) == [
        Topic(second, 5, 2 * MIB, "delete", None, created=True),
        Topic(first, 2, 2 * MIB, "delete", timedelta(days=21), created=False),
    ]
    assert await ensure_topics(Cluster(kafka_bootstrap), [first], 2, max_message_bytes=MIB) == [
        Topic(first, 2, 2 * MIB, "delete", timedelta(days=21), created=False)
    ]


async def test_what_the_broker_cannot_make_is_a_clear_error(kafka_bootstrap: str) -> None:
    with pytest.raises(TopicUnfit, match=r"could not be made: .*eplication"):
        await ensure_topics(Cluster(kafka_bootstrap), [f"crm.test-{uuid4().hex}.v1"], 1, replication=3)


async def test_without_a_broker_it_says_so() -> None:
    with pytest.raises(BrokerTrouble, match=r"127\.0\.0\.1:1"):
        await ensure_topics(Cluster("127.0.0.1:1"), ["crm.contacts.v1"], 1)
