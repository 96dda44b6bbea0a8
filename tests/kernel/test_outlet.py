"""What an acknowledged offset means: the next one is believed, a higher one is looked into, a lower one is a loss."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import pytest
from kernel.messaging.outlet import BrokerLost, Outlet
from kernel.messaging.publisher import Heartbeat, Held, Sent, Tail
from kernel.messaging.records import PublicRecord

from tests.kernel.kafka_examples import chain, heartbeat

SENT = {0: Sent(5, 8)}


class Answering:
    """A topic that gives the offsets it is told to give, and counts how often it is looked into."""

    retention: timedelta | None = None

    def __init__(self, *offsets: int, lost: Sequence[int] = ()) -> None:
        self._offsets = list(offsets)
        self._lost = lost
        self.looked = 0

    async def open(self) -> Mapping[int, Tail]:
        return {0: Tail(0, 10)}

    async def send(self, messages: Sequence[PublicRecord | Heartbeat]) -> Sequence[int]:
        return [self._offsets.pop(0) for _ in messages]

    async def lost(self, sent: Mapping[int, Sent]) -> Sequence[int]:
        assert sent is SENT
        self.looked += 1
        return self._lost

    async def held_since(self, times: Mapping[int, datetime]) -> Sequence[Held]:
        raise NotImplementedError

    async def abandon(self) -> None:
        """There is nothing to end."""


async def outlet(topic: Answering) -> Outlet:
    return Outlet(topic, await topic.open())


async def test_offsets_that_follow_each_other_cost_no_look() -> None:
    topic = Answering(10, 11, 12, 13)
    way = await outlet(topic)
    assert list(await way.send(chain([6, 7]), SENT)) == [10, 11]
    assert list(await way.send([heartbeat(7, 7)], SENT)) == [12]
    assert list(await way.send(chain([8]), SENT)) == [13]
    assert topic.looked == 0


async def test_a_gap_is_looked_into_once_and_passed_over() -> None:
    topic = Answering(10, 14, 15)
    way = await outlet(topic)
    assert list(await way.send(chain([6, 7]), SENT)) == [10, 14]
    assert list(await way.send(chain([8]), SENT)) == [15]
    assert topic.looked == 1


async def test_a_gap_that_covers_a_loss_is_a_loss() -> None:
    with pytest.raises(BrokerLost, match="partitions 0"):
        await (await outlet(Answering(14, lost=[0]))).send(chain([6]), SENT)


async def test_an_offset_that_was_given_before_is_a_loss_whatever_is_found() -> None:
    topic = Answering(9)
    with pytest.raises(BrokerLost, match="partition 0: offset 9"):
        await (await outlet(topic)).send([heartbeat(5, 5)], SENT)
    assert topic.looked == 0
