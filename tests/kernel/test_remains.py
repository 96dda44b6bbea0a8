"""After a loss, whoever has written since: a record counts as there only if everything before it is there too."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

import pytest
from kernel.messaging.feed import History, Incarnation
from kernel.messaging.publisher import Held, Sent
from kernel.messaging.remains import Remains, remains

OURS, OTHERS = UUID(int=1), UUID(int=2)
HISTORY = History([Incarnation(OURS, 0, 1)])
START = datetime(2026, 3, 2, tzinfo=UTC)
SECOND = timedelta(seconds=1)
APART = timedelta(seconds=20)


def held(
    position: int, previous: int, second: int = 0, *, offset: int = 0, beat: bool = False, of: UUID = OURS
) -> Held:
    return Held(
        partition=0,
        offset=offset,
        at=START + second * SECOND,
        incarnation=of,
        position=position,
        previous=previous,
        is_record=not beat,
    )


def left(found: list[Held], last: int, recorded: datetime, floor: int = 0) -> Remains:
    return remains(found, {0: Sent(last, 99)}, {0: recorded}, HISTORY, floor)[0]


def test_what_follows_is_there_and_what_lacks_its_forerunner_is_not() -> None:
    found = [held(2, 0), held(5, 2), held(9, 7), held(11, 9)]
    assert left(found, 9, START) == Remains(5, 5)


def test_what_was_there_before_the_last_record_proves_all_before_it() -> None:
    found = [held(7, 5, 1), held(9, 7, 2), held(12, 11, 60)]
    assert left(found, 11, START + 30 * SECOND) == Remains(9, 9)


def test_a_heartbeat_proves_as_much_as_its_record() -> None:
    found = [held(20, 7, 1, beat=True), held(21, 7, 60), held(40, 30, 61, beat=True)]
    assert left(found, 30, START + 30 * SECOND) == Remains(21, 21)


def test_a_copy_that_came_later_fills_the_gap() -> None:
    found = [held(2, 0), held(9, 7), held(5, 2), held(7, 5), held(9, 7, offset=4)]
    assert left(found, 9, START) == Remains(9, 9, 4)


def test_what_has_expired_is_not_asked_for() -> None:
    assert left([], 9, START, floor=6) == Remains(6, 6)
    assert left([held(9, 5, offset=3)], 9, START, floor=6) == Remains(9, 9, 3)


def test_another_history_proves_nothing() -> None:
    assert left([held(2, 0), held(9, 2, of=OTHERS)], 9, START) == Remains(2, 2)


@pytest.mark.parametrize("seed", range(300))
def test_nothing_is_taken_for_there_that_is_not(seed: int) -> None:
    topic = Lossy(Random(seed))
    found = left(topic.entries, topic.last, topic.recorded - APART)
    there = {one.position for one in topic.entries if one.is_record}
    assert {position for position in topic.chain if position <= found.complete} <= there
    # And most of what is left is seen to be there: all that is clearly older than the last record.
    older = [one.position for one in topic.survivors if one.is_record and one.at < topic.recorded - APART]
    assert found.complete >= max(older, default=0)


class Lossy:
    """One partition: a relay tells its chain, the tail is lost, and relays old and new write on."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._second = 0
        self.chain = sorted(chance.sample(range(1, 60), 24))
        acknowledged = chance.randint(1, 20)
        self.last = self.chain[acknowledged - 1]
        whole = list(self._told(0, acknowledged, beats=True))
        self.recorded = next(one.at for one in whole if one.position == self.last and one.is_record)
        self.survivors = whole[: chance.randint(0, len(whole) - 1)]
        kept = sum(one.is_record for one in self.survivors)
        later: list[Held] = []
        for _ in range(chance.randint(0, 4)):
            begin = chance.choice((acknowledged, chance.randint(0, acknowledged), kept))
            told = list(self._told(begin, min(24, begin + chance.randint(0, 8)), beats=False))
            later += told or [self._beat(self.last, self.last)]
        self.entries = [*self.survivors, *later]

    def _told(self, begin: int, end: int, *, beats: bool) -> Iterator[Held]:
        for at in range(begin, end):
            self._second += self._chance.randint(1, 15)
            previous = self.chain[at - 1] if at else 0
            yield held(self.chain[at], previous, self._second)
            if beats and self._chance.random() < 0.5:
                yield self._beat(self.chain[at], self.chain[at])

    def _beat(self, position: int, previous: int) -> Held:
        self._second += 1
        return held(position, previous, self._second, beat=True)
