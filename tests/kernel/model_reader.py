"""A consumer over the model: the real tracker, with what it has applied and its bookmarks kept as one."""

import random
from uuid import UUID

from kernel.messaging.feed_client import FeedGone, FeedSource
from kernel.messaging.records import PublicRecord
from kernel.messaging.sources import Arrival, Bookmarks, EventSource
from kernel.messaging.tracker import Taken, Tracker, Withdrawal

from tests.kernel.model_source import ModelFeed, ModelSource, ModelTopic, run


class ModelReader:
    def __init__(self, source: ModelSource, chance: random.Random, tracker: type[Tracker] = Tracker) -> None:
        self._made_by = tracker
        self._source = source
        self._chance = chance
        self.feed = ModelFeed(source)
        self._stored = Bookmarks()
        self.applied: list[PublicRecord] = []
        # By the incarnation that took over: how much had been applied by then, and from which position it counts.
        self._withdrawn: dict[UUID, tuple[int, int, tuple[UUID, ...]]] = {}
        self.kind = "topic"
        self.begin("topic")

    def begin(self, kind: str | None = None) -> None:
        """A new process, or the same one after a failure: nothing but what is stored is known."""
        self.kind = kind or self.kind
        self._from: EventSource = (
            ModelTopic(self._source, self._chance) if self.kind == "topic" else FeedSource(self.feed)
        )
        self._tracker = self._made_by("model", self._stored.copy(), self.feed)
        run(self._from.seek(self._tracker.bookmarks))

    def read(self) -> bool:
        """Takes one arrival, and answers whether it brought anything."""
        try:
            arrival = run(self._from.fetch())
            taken = run(self._tracker.take(arrival))
        except FeedGone as gone:
            taken = self._tracker.go_back(gone.place)
            run(self._from.seek(self._tracker.bookmarks))
        except ConnectionError:
            run(self._from.seek(self._tracker.bookmarks))
            return False
        moved = {number: (mark.incarnation, mark.position) for number, mark in taken.bookmarks.items()}
        before = {n: (m.incarnation, m.position) for n, m in self._stored.partitions.items()}
        self._keep(taken)
        if not taken.whole:
            run(self._from.seek(self._tracker.bookmarks))
        return bool(taken.records or taken.withdrawals) or not moved.items() <= before.items()

    def take(self, arrival: Arrival) -> None:
        """This one, whatever the source has."""
        self._keep(run(self._tracker.take(arrival)))

    def _keep(self, taken: Taken) -> None:
        self.applied += taken.records
        for withdrawal in taken.withdrawals:
            self._withdraw(withdrawal)
        self._stored.partitions |= taken.bookmarks

    def read_all(self) -> None:
        while self.read() or (isinstance(self._from, ModelTopic) and self._from.behind()):
            pass

    def _withdraw(self, withdrawal: Withdrawal) -> None:
        place = withdrawal.place
        _, before, _ = self._withdrawn.get(place.incarnation, (0, place.position, ()))
        began = min(before, place.position)
        self._withdrawn[place.incarnation] = (len(self.applied), began, place.counting)

    def counted(self) -> list[PublicRecord]:
        """What still counts, by the rule of the table `withdrawn`."""
        return [record for place, record in enumerate(self.applied) if not self._gone(place, record)]

    def _gone(self, place: int, record: PublicRecord) -> bool:
        return any(
            place < applied and record.position > began and record.incarnation not in counting
            for applied, began, counting in self._withdrawn.values()
        )
