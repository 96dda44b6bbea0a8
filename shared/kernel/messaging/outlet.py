"""The relay's way to its topic: an offset that is not the next one of its partition is looked into, never believed."""

import asyncio
from collections.abc import Mapping, Sequence

from kernel.messaging.publisher import Heartbeat, Publisher, Sent, Tail
from kernel.messaging.records import PublicRecord

SEND_TIMEOUT = 15.0


class BrokerLost(Exception):
    """An acknowledged record is no longer there: begin again, and publish it again."""


class Outlet:
    """One connection to the broker; `tails` are what its partitions ended with when it was opened."""

    def __init__(self, publisher: Publisher, tails: Mapping[int, Tail]) -> None:
        self._publisher = publisher
        self._next = {number: tail.end for number, tail in tails.items()}

    async def send(
        self, messages: Sequence[PublicRecord | Heartbeat], sent: Mapping[int, Sent]
    ) -> Sequence[int]:
        """The offsets, after all are acknowledged; `BrokerLost` when one of the `sent` is no longer where it was."""
        async with asyncio.timeout(SEND_TIMEOUT):
            offsets = await self._publisher.send(messages)
        # A gap is somebody else's record, most likely a predecessor's; but it may also cover a loss.
        if not self._are_next(messages, offsets) and (lost := await self._publisher.lost(sent)):
            raise BrokerLost(f"partitions {', '.join(map(str, lost))}")
        return offsets

    def _are_next(self, messages: Sequence[PublicRecord | Heartbeat], offsets: Sequence[int]) -> bool:
        ends, exactly = self._next, True
        for message, offset in zip(messages, offsets, strict=True):
            end = ends.get(message.partition, 0)
            if offset != end:
                exactly = False
                if offset < end:
                    raise BrokerLost(f"partition {message.partition}: offset {offset} was given before")
            ends[message.partition] = offset + 1
        return exactly
