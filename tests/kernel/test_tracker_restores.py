"""A source that is restored from a backup: what its new history lacks is withdrawn, what it has is heard once."""

import random
from dataclasses import replace
from uuid import UUID

import pytest
from kernel.messaging.records import PublicRecord
from kernel.messaging.sources import Arrival, Mark

from tests.kernel.model_reader import ModelReader
from tests.kernel.model_source import STREAMS, ModelSource, arrived, positions

ONE, OTHER = (
    STREAMS[0],
    next(stream for stream in STREAMS if ModelSource.partition(stream) != ModelSource.partition(STREAMS[0])),
)


class World:
    """Positions without gaps, so that a test can name them."""

    def __init__(self) -> None:
        self.source = ModelSource(random.Random(0), gaps=False)
        self.reader = ModelReader(self.source, random.Random(0))

    def write(self, count: int, stream: UUID = ONE, *, relay: bool = True) -> None:
        self.source.write(count, stream)
        if relay:
            self.source.relay()

    def restore(self, position: int) -> None:
        """The relay's row is as old as the backup, which was made after everything in it was sent."""
        self.source.restore(position, zombies=0)
        self.source.sent = position
        self.source.chains = dict.fromkeys(self.source.chains, 0)

    def check(self) -> None:
        self.source.relay()
        self.source.heartbeat()
        self.reader.read_all()
        applied = [(record.incarnation, record.position) for record in self.reader.applied]
        assert len(applied) == len(set(applied)), "doubled"
        heard = {record.event_id for record in self.reader.counted()}
        assert heard == {record.event_id for record in self.source.log}


def test_what_a_restored_source_no_longer_has_is_withdrawn() -> None:
    world = World()
    world.write(5)
    world.reader.read_all()
    world.restore(3)
    world.write(4)
    world.check()
    assert positions(world.reader.applied) == [1, 2, 3, 4, 5, 4, 5, 6, 7]


def test_a_partition_in_which_nothing_new_is_written_learns_of_it_by_a_heartbeat() -> None:
    world = World()
    world.write(2)
    world.write(3, OTHER)
    world.reader.read_all()
    world.restore(2)
    world.write(4, ONE)
    world.check()


@pytest.mark.parametrize("kind", ["topic", "feed"])
def test_a_reader_that_was_away_goes_on_where_the_histories_part(kind: str) -> None:
    world = World()
    world.reader.begin(kind)
    world.write(5)
    world.reader.read_all()
    world.restore(3)
    world.write(4)
    world.reader.begin(kind)
    world.check()


def test_a_relay_of_the_old_history_that_still_sends_is_not_believed() -> None:
    world = World()
    world.write(3)
    world.reader.read_all()
    world.write(3, relay=False)
    old = world.source.log[3:]
    world.restore(3)
    world.write(1)
    world.reader.read_all()
    for record in old:
        world.source.send(record.partition, replace(record, previous=record.position - 1))
    world.check()


def test_a_gap_before_a_record_that_no_longer_counts_is_not_filled_twice() -> None:
    world = World()
    world.write(3)
    world.reader.read_all()
    world.write(3)
    number = world.source.log[0].partition
    world.source.topic[number] = [entry for entry in world.source.topic[number] if entry[0] not in (3, 4)]
    world.restore(3)
    world.write(2)
    world.check()


def test_a_record_from_before_the_restore_that_is_repeated_after_it_changes_nothing() -> None:
    world = World()
    world.write(3)
    first = world.source.topic[world.source.log[0].partition][0][1]
    world.restore(3)
    world.write(2)
    world.reader.read_all()
    world.source.send(world.source.log[0].partition, first)
    world.reader.read_all()
    world.reader.begin()
    world.check()


def test_a_topic_sent_again_after_a_restore_is_not_asked_about_record_by_record() -> None:
    """A broker lost everything: the records of the old history come once more, in arrivals of many."""
    world = World()
    world.write(300, ONE)
    world.write(300, OTHER)
    world.reader.read_all()
    world.restore(600)
    world.write(1, ONE)
    world.reader.read_all()
    entries: list[tuple[PublicRecord, int | None]] = []
    for record in world.source.log:
        chained = replace(record, previous=600 if record.position > 600 else 0)
        entries.append((chained, 1000 + record.position))
    before = world.reader.feed.asked
    world.reader.take(Arrival(entries))
    assert world.reader.feed.asked - before <= 4
    world.check()


def test_a_first_reading_of_a_topic_across_a_restore_is_not_asked_about_record_by_record() -> None:
    world = World()
    world.write(300, ONE)
    world.write(300, OTHER)
    world.restore(600)
    world.write(300, OTHER)
    lanes = world.source.topic.values()
    world.reader.take(Arrival([arrived(offset, said) for lane in lanes for offset, said in lane]))
    assert world.reader.feed.asked <= 10
    world.check()


def test_a_topic_that_is_first_read_after_the_feed_cannot_bring_back_what_was_withdrawn() -> None:
    world = World()
    world.reader.begin("feed")
    world.write(5)
    world.reader.read_all()
    world.restore(3)
    world.write(1)
    world.reader.read_all()
    world.reader.begin("topic")
    world.check()


def test_a_restore_while_reading_the_topic_reaches_back_behind_the_feeds_bookmark() -> None:
    world = World()
    world.reader.begin("feed")
    world.write(6)
    world.reader.read_all()
    world.reader.begin("topic")
    world.reader.read_all()
    world.restore(3)
    world.write(2)
    world.check()


def test_a_partition_that_learns_late_of_two_restores_takes_nothing_from_the_others() -> None:
    world = World()
    world.write(2)
    world.write(3, OTHER)
    world.reader.read_all()
    world.restore(2)
    world.restore(2)
    world.write(4, ONE)
    world.reader.read_all()
    world.check()


def test_a_switch_to_the_feed_brings_what_a_partition_not_yet_heard_has_below() -> None:
    world = World()
    world.write(3, ONE)
    world.write(3, OTHER)
    world.source.topic[world.source.log[0].partition] = []
    world.reader.read_all()
    world.reader.begin("feed")
    world.check()


def test_a_heartbeat_tells_of_a_lost_tail() -> None:
    world = World()
    world.write(5)
    number = world.source.log[0].partition
    world.source.topic[number] = world.source.topic[number][:2]
    world.reader.read_all()
    assert positions(world.reader.applied) == [1, 2]
    world.source.heartbeat()
    world.reader.read_all()
    assert positions(world.reader.applied) == [1, 2, 3, 4, 5]
    late = Mark(number, world.source.incarnations[0].id, 4, 3)
    world.source.send(number, late)
    world.check()
