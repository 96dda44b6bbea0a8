"""What lies in Kafka's topics, read by a client that knows nothing of ours."""

import asyncio
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from kernel.messaging.service import topic_of

from tests.system.running import NAMES, System

PARTITIONS = 12


@dataclass(frozen=True, slots=True)
class Message:
    """As it lies; `said` are the attributes of the event."""

    partition: int
    key: bytes | None
    value: bytes
    said: dict[str, str]

    @property
    def is_record(self) -> bool:
        return self.key is not None


def messages(system: System, name: str) -> list[Message]:
    """All there are, in their order in each partition."""
    return asyncio.run(_read(system, topic_of(name)))


def everything_in_topics(system: System) -> str:
    """All bytes, as text to be searched; empty where there is no Kafka."""
    if system.kafka is None:
        return ""
    found = [message for name in NAMES for message in messages(system, name)]
    return "\n".join(f"{m.key!r} {m.value.decode()} {m.said}" for m in found)


async def _read(system: System, topic: str) -> list[Message]:
    assert system.kafka
    consumer = AIOKafkaConsumer(bootstrap_servers=system.kafka.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends = await consumer.end_offsets(places)
        found: list[Message] = []
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            for fetched in (await consumer.getmany(timeout_ms=200)).values():
                for each in fetched:
                    said = {name: value.decode() for name, value in each.headers}
                    found.append(Message(each.partition, each.key, each.value, said))
        return found
    finally:
        await consumer.stop()
