"""Whatever a topic loses, repeats or tells late: after the tracker each partition is complete, without doubles."""

import random
from itertools import permutations, product

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from kernel.messaging.records import PublicRecord
from kernel.messaging.sources import Arrival
from kernel.messaging.tracker import Taken, Tracker

from tests.kernel.model_reader import ModelReader
from tests.kernel.model_source import PARTITIONS, STREAMS, ModelSource, arrived, positions

STEPS = ["write", "relay", "beat", "twice", "lose", "tail", "read", "read", "crash"]
FEED_TOO = [*STEPS, "topic", "feed", "silent", "speaking"]
RESTORES = [*STEPS, "restore", "zombies"]


class World:
    def __init__(self, seed: int, tracker: type[Tracker] = Tracker) -> None:
        self.chance = random.Random(seed)
        self.source = ModelSource(self.chance)
        self.reader = ModelReader(self.source, self.chance, tracker)

    def take(self, step: str) -> None:
        source, reader = self.source, self.reader
        match step:
            case "write":
                source.write(self.chance.randint(1, 4))
            case "relay":
                source.relay(self.chance.randint(1, 6))
            case "beat":
                source.heartbeat()
            case "twice":
                source.send_twice()
            case "lose" | "tail":
                source.lose(tail=step == "tail")
            case "read":
                reader.read()
            case "crash":
                reader.begin()
            case "topic" | "feed":
                reader.begin(step)
            case "silent" | "speaking":
                source.feed_answers = step == "speaking"
            case "restore" | "zombies":
                source.restore(self.chance.randint(0, source.head), zombies=3 if step == "zombies" else 0)
                source.write()

    def settle(self) -> None:
        """In the end the relay has sent all, every partition is told so, and the reader has read it."""
        self.source.feed_answers = True
        self.source.relay()
        self.source.heartbeat()
        self.reader.read_all()

    def check(self) -> None:
        applied = [(record.incarnation, record.position) for record in self.reader.applied]
        assert len(applied) == len(set(applied)), "doubled"
        counted = self.reader.counted()
        for number in range(PARTITIONS):
            told = [record.event_id for record in self.source.log if record.partition == number]
            heard = [record.event_id for record in counted if record.partition == number]
            assert heard == told


def live(seed: int, steps: list[str], tracker: type[Tracker] = Tracker) -> None:
    world = World(seed, tracker)
    for step in steps:
        world.take(step)
    world.settle()
    world.check()


histories = st.lists(st.sampled_from(STEPS), max_size=40)
SIMULATED = settings(max_examples=250, deadline=None, derandomize=True)


@SIMULATED
@given(st.integers(0, 10_000), histories)
def test_loss_repetition_and_crashes_leave_each_partition_complete(seed: int, steps: list[str]) -> None:
    live(seed, steps)


@example(8, ["write", "write", "relay", "read", "feed"])
@SIMULATED
@given(st.integers(0, 10_000), st.lists(st.sampled_from(FEED_TOO), max_size=40))
def test_so_do_switches_between_feed_and_topic_and_a_feed_that_falls_silent(
    seed: int, steps: list[str]
) -> None:
    live(seed, steps)


@example(29703, ["write", "relay", "relay", "read", "lose", "restore"])
@SIMULATED
@given(st.integers(0, 10_000), st.lists(st.sampled_from(RESTORES), max_size=40))
def test_so_do_restores_of_the_source_and_relays_that_do_not_know_of_them(
    seed: int, steps: list[str]
) -> None:
    live(seed, steps)


def live_long(tracker: type[Tracker]) -> None:
    for seed in range(200):
        chance = random.Random(seed)
        live(seed, [chance.choice(STEPS) for _ in range(120)], tracker)


def test_long_histories_leave_each_partition_complete_too() -> None:
    live_long(Tracker)


class FillsNothing(Tracker):
    async def _fill(self, taken: Taken, partition: int, after: int, upto: int) -> None:
        """A loss is not even noticed."""


class TakesAll(Tracker):
    async def _record(self, taken: Taken, record: PublicRecord, offset: int | None) -> None:
        await super()._record(taken, record, offset)
        if record not in taken.records:
            taken.records.append(record)


@pytest.mark.parametrize("planted", [FillsNothing, TakesAll])
def test_a_tracker_with_a_planted_fault_is_found_out(planted: type[Tracker]) -> None:
    with pytest.raises(AssertionError):
        live_long(planted)


def test_every_way_to_lose_some_of_five_records_is_made_good() -> None:
    for lost in product([False, True], repeat=5):
        world = World(1)
        world.source.write(5, STREAMS[0])
        world.source.relay()
        world.source.heartbeat()
        for number, entries in world.source.topic.items():
            gone = [entry for entry, is_lost in zip(entries, lost, strict=False) if is_lost]
            world.source.topic[number] = [entry for entry in entries if entry not in gone]
        world.reader.read_all()
        world.check()


def test_every_order_and_repetition_of_four_records_gives_each_once() -> None:
    for order in permutations(range(4)):
        world = World(2)
        world.source.write(4, STREAMS[0])
        world.source.relay()
        (entries,) = [entries for entries in world.source.topic.values() if entries]
        number = world.source.log[0].partition
        world.source.topic[number] = []
        for place in (*order, *reversed(order)):
            world.source.send(number, entries[place][1])
        world.reader.read_all()
        world.check()
        assert positions(world.reader.applied) == positions(world.source.log)


def test_a_large_gap_is_taken_in_slices_that_each_can_be_applied() -> None:
    world = World(3)
    world.source.write(9, STREAMS[0])
    world.source.relay()
    (number,) = {record.partition for record in world.source.log}
    *_, (offset, last) = world.source.topic[number]
    reader = world.reader
    slices = []
    while len(reader.applied) < 9:
        before = len(reader.applied)
        reader.take(Arrival([arrived(offset, last)]))
        slices.append(len(reader.applied) - before)
    assert slices == [3, 3, 3]
    assert positions(reader.applied) == positions(world.source.log)
