"""What is left of a topic's partitions after a loss: up to which position everything is still there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from kernel.messaging.feed import History
from kernel.messaging.publisher import Held, Sent


@dataclass(slots=True)
class Remains:
    """Of a partition: up to where it has everything, the last record until there, the offset of the row's record."""

    complete: int
    last: int
    offset: int | None = None


def remains(
    held: Iterable[Held],
    sent: Mapping[int, Sent],
    recorded: Mapping[int, datetime],
    incarnations: History,
    floor: int,
) -> dict[int, Remains]:
    """`recorded`: before these times the partitions' last records were not in the topic; below `floor` nothing counts.

    What was appended before that was there before the loss, and so was everything before it. What came later may
    have come after the loss, from whomever: it counts where its forerunner does.
    """
    left = {number: Remains(floor, floor) for number in recorded}
    for one in held:
        part = left[one.partition]
        if one.position <= part.complete or incarnations.at(one.position).id != one.incarnation:
            continue
        if one.at < recorded[one.partition] or one.previous <= part.complete:
            part.complete = one.position
            part.last = one.position if one.is_record else max(part.last, one.previous)
            if one.is_record and one.position == sent[one.partition].position:
                part.offset = one.offset
    return left
