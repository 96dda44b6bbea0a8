"""What is published of events as they lie: records, each naming the one before it in its partition."""

from collections.abc import Mapping, Sequence

from kernel.messaging.feed import History
from kernel.messaging.records import PublicRecord, Translator, partition_of
from kernel.storage.log import StoredEvent


def chained(
    translator: Translator,
    incarnations: History,
    published: Mapping[str, int],
    events: Sequence[StoredEvent],
    last: dict[int, int],
) -> list[PublicRecord]:
    """`last` has the position of each partition's last record, and moves along.

    In another incarnation the chains begin anew: whoever meets it goes back to where it starts.
    """
    records: list[PublicRecord] = []
    if not events:
        return records
    newest = incarnations.at(events[-1].position)
    for event in events:
        incarnation = newest if newest.from_position < event.position else incarnations.at(event.position)
        partition = partition_of(event.stream_id, incarnation.partitions)
        previous = max(last.get(partition, 0), incarnation.from_position)
        record = translator.translate(event, incarnation.id, partition, previous)
        if record is not None and event.position > published.get(record.type, event.position):
            last[partition] = event.position
            records.append(record)
    return records
