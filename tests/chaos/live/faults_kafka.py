"""Kafka loses what it had acknowledged, or what has expired goes before it was read."""

import asyncio
import time
from random import Random

from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition
from kernel.messaging.service import topic_of

from tests.chaos.live.faults import Fault, Healed
from tests.chaos.live.fleet import PARTITIONS, until_ready
from tests.chaos.live.world import World

# A broker that loses its tail loses what it never wrote: so many bytes of each partition, in the middle of a batch.
TAIL = (200, 20_000)
# What is left of a topic of which more has expired than was read.
LEFT = 3
READER_AWAY = 2.0


def losing_tail(service: str) -> Fault:
    async def lose(world: World, random: Random) -> Healed:
        """All of it was on the tape before: what the topic lost must come again, as it was."""
        await world.tape.catch_up()
        fleet = world.fleet
        await asyncio.to_thread(fleet.kafka.kill)
        for segment in fleet.kafka.directory.glob(f"data/{topic_of(service)}-*/*.log"):
            with segment.open("r+b") as file:
                file.truncate(max(segment.stat().st_size - random.randint(*TAIL), 0))
        world.tape.rewind(service)
        await asyncio.to_thread(fleet.kafka.start)
        return Healed(time.monotonic())

    return lose


def expiring(service: str) -> Fault:
    async def expire(world: World, _: Random) -> Healed:
        """Analytics is away while records come and go that it never read: the feed has them."""
        fleet = world.fleet
        worker = fleet.place("analytics-worker")
        await asyncio.to_thread(fleet.kill, worker.name)
        await asyncio.sleep(READER_AWAY)
        await world.tape.catch_up()
        topic = world.tape.topics[service]
        before = {
            TopicPartition(topic.name, number): RecordsToDelete(max(topic.offsets.get(number, 0) - LEFT, 0))
            for number in range(PARTITIONS)
        }
        admin = AIOKafkaAdminClient(bootstrap_servers=fleet.kafka.bootstrap)
        await admin.start()
        try:
            await admin.delete_records(before)
        finally:
            await admin.close()
        since = time.monotonic()
        await asyncio.to_thread(fleet.launch, worker)
        await until_ready(fleet, [worker.name])
        return Healed(since)

    return expire
