"""Everything that was ever in Kafka's topics, written down by a consumer that knows nothing of the product's."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from tests.chaos.live.ledger import Findings
from tests.chaos.live.wishes_contacts import CANARY

HEARTBEAT = "crm.heartbeat.v1"
# After a tail was lost: so many records of a partition are read again, more than are ever cut off.
REREAD = 4000
_PAUSE = 0.5
REACHED_WITHIN = 15.0
WRITTEN_WITHIN = 120.0


@dataclass(frozen=True, slots=True)
class Heard:
    """A record as it lay in the topic."""

    position: int
    previous: int
    incarnation: str
    event: str
    stream: str
    version: int
    partition: int


@dataclass(slots=True)
class Topic:
    """`heard`: in the order of each partition, from all that was ever read, so with what lay there twice."""

    name: str
    heard: list[Heard] = field(default_factory=list)
    heartbeats: int = 0
    offsets: dict[int, int] = field(default_factory=dict)
    to_seek: dict[int, int] = field(default_factory=dict)


class Tape:
    def __init__(self, bootstrap: Callable[[], str], topics: dict[str, str], findings: Findings) -> None:
        """`topics`: the topic of each service."""
        self._bootstrap = bootstrap
        self.topics = {service: Topic(name) for service, name in topics.items()}
        self._findings = findings
        self._by_name = {topic.name: topic for topic in self.topics.values()}
        self._partitions = 0
        self._asked: list[asyncio.Future[None]] = []

    async def catch_up(self) -> None:
        """Until all is written down that is there now. Raises `TimeoutError` when nothing is written down any more."""
        asked = asyncio.get_running_loop().create_future()
        self._asked.append(asked)
        async with asyncio.timeout(WRITTEN_WITHIN):
            await asked

    async def run(self, partitions: int) -> None:
        """Until cancelled; the broker may go away and come back."""
        self._partitions = partitions
        while True:
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self._bootstrap(),
                auto_offset_reset="none",
                enable_auto_commit=False,
                request_timeout_ms=5000,
            )
            try:
                await consumer.start()
                await self._read(consumer)
            except (KafkaError, OSError, TimeoutError):
                await asyncio.sleep(_PAUSE)
            except Exception as error:
                self._findings.add("the harness itself works", f"the tape: {error!r}")
                await asyncio.sleep(_PAUSE)
            finally:
                await self._stop(consumer)

    async def _stop(self, consumer: AIOKafkaConsumer) -> None:
        """The client cancels its own tasks and waits for them: what that raises is not meant for the tape."""
        stopping = asyncio.ensure_future(consumer.stop())
        await asyncio.wait([stopping], timeout=5)
        if stopping.done() and not stopping.cancelled():
            stopping.exception()
        stopping.cancel()

    def rewind(self, service: str) -> None:
        """A tail of this topic was lost: what lies there now may be other records than those that were read."""
        topic = self.topics[service]
        topic.to_seek = {number: max(offset - REREAD, 0) for number, offset in topic.offsets.items()}

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        places = [
            TopicPartition(name, number) for name in self._by_name for number in range(self._partitions)
        ]
        consumer.assign(places)
        for place in places:
            consumer.seek(place, self._by_name[place.topic].offsets.get(place.partition, 0))
        while True:
            self._seek(consumer)
            asked, self._asked = self._asked, []
            try:
                ends = await consumer.end_offsets(places) if asked else {}
                found = await consumer.getmany(timeout_ms=300)
                until = time.monotonic() + REACHED_WITHIN
                while any(
                    self._by_name[p.topic].offsets.get(p.partition, 0) < end for p, end in ends.items()
                ):
                    if time.monotonic() > until:
                        # These ends are gone with a lost tail, or the consumer has lost its way: another one looks.
                        raise TimeoutError
                    self._take(found)
                    self._seek(consumer)
                    found = await consumer.getmany(timeout_ms=300)
            except OffsetOutOfRangeError as error:
                self._asked += asked
                await self._find_again(consumer, error.args[0])
                continue
            except BaseException:
                self._asked += asked
                raise
            self._take(found)
            for one in asked:
                if not one.done():
                    one.set_result(None)

    def _seek(self, consumer: AIOKafkaConsumer) -> None:
        for topic in self._by_name.values():
            while topic.to_seek:
                number, offset = topic.to_seek.popitem()
                consumer.seek(TopicPartition(topic.name, number), offset)
                topic.offsets[number] = offset

    def _take(self, found: "dict[TopicPartition, list[Any]]") -> None:
        for place, messages in found.items():
            topic = self._by_name[place.topic]
            if place.partition not in topic.to_seek:
                for message in messages:
                    self._note(topic, message)
                topic.offsets[place.partition] = messages[-1].offset + 1

    async def _find_again(self, consumer: AIOKafkaConsumer, out: dict[TopicPartition, int]) -> None:
        """What we are before has expired, what we are behind was lost."""
        begins = await consumer.beginning_offsets(list(out))
        for place, offset in out.items():
            there = begins[place] if offset < begins[place] else max(begins[place], offset - REREAD)
            if there == offset:
                there = begins[place]
            consumer.seek(place, there)
            self._by_name[place.topic].offsets[place.partition] = there

    def _note(self, topic: Topic, message: Any) -> None:
        said = {name: value.decode() for name, value in message.headers}
        value = message.value or b""
        if CANARY.encode() in value or any(CANARY in text for text in said.values()):
            self._findings.add("nothing personal is published", f"{topic.name}: {said}")
        if said.get("ce_type") == HEARTBEAT:
            topic.heartbeats += 1
            return
        key = (message.key or b"").decode()
        if not value or key != said.get("ce_subject"):
            self._findings.add("a topic holds records and heartbeats only", f"{topic.name}: {key} {said}")
            return
        topic.heard.append(
            Heard(
                int(said["ce_position"]),
                int(said["ce_previous"]),
                said["ce_incarnation"],
                said["ce_id"],
                key,
                int(said["ce_sequence"]),
                message.partition,
            )
        )
