"""What waits for the committer: single commands and bulk loads, each with its future, its key and its deadline."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from kernel.domain.errors import Conflict, Refused
from kernel.storage import log
from kernel.storage.aggregate import AnyHandled, Intent
from kernel.storage.failures import OutcomeUnknown, Overloaded, Unavailable, settle

MOST_INTENTS = 128
MOST_BULK = 96
BULK_PATIENCE = 60.0
# A batch takes half of those who wait, so that one half is answered while the other is written.
_FEWEST = 16
_ANSWERED_AT_ONCE = 4
# Who has his answer coming waits no longer for others than this, in seconds.
_COURTESY = 0.002
_SWEEP_EVERY = 0.25
_UNREACHED = "The log could not be reached in time."
_UNKNOWN = "The outcome is not known yet."
# A process that has not turned its loop for so long has slept, for all that others know: in seconds.
_SLEPT = 2.0
# What it then reads from its sockets was sent while it slept.
_DAZED = 0.25


@dataclass(slots=True, eq=False)
class Waiting:
    intent: Intent
    future: "asyncio.Future[AnyHandled]"
    since: float
    deadline: float
    attempted: bool = False


class Queues:
    def __init__(self, most_waiting: int, patience: float) -> None:
        self._most_waiting = most_waiting
        self._patience = patience
        self._singles: deque[Waiting] = deque()
        self._bulk: deque[Waiting] = deque()
        self._in_flight: dict[tuple[str, str], Waiting] = {}
        self._answers: list[tuple[Waiting, AnyHandled | Exception]] = []
        self._awake, self._woke = inf, -inf
        self.filled = asyncio.Event()

    def __bool__(self) -> bool:
        return bool(self._singles or self._bulk)

    @property
    def idle(self) -> bool:
        return not (self or self._in_flight)

    async def single(self, intent: Intent) -> AnyHandled:
        waiting = self._add(intent, self._singles, self._patience)
        try:
            return await waiting.future
        finally:
            self._forget(waiting)
            # A refusal that is raised here holds this frame: what led back to it would wait for the collector.
            del waiting

    async def bulk(self, intents: Sequence[Intent]) -> list[AnyHandled | Exception]:
        outcomes: list[AnyHandled | Exception] = []
        waits: deque[tuple[int, Waiting]] = deque()
        for place, intent in enumerate(intents):
            outcomes.append(OutcomeUnknown(_UNKNOWN))
            try:
                waits.append((place, self._add(intent, self._bulk, BULK_PATIENCE)))
            except (Refused, Unavailable) as refusal:
                outcomes[place] = refusal
        try:
            while waits:
                place, waiting = waits[0]
                try:
                    outcomes[place] = await waiting.future
                except Exception as failure:
                    # Without its frames: one of them is this one, which holds the outcomes.
                    outcomes[place] = failure.with_traceback(None)
                self._forget(waits.popleft()[1])
        finally:
            # Whoever asked has gone: what was not begun is not done.
            for _, waiting in waits:
                waiting.future.cancel()
                self._forget(waiting)
            if waits:
                self._bulk = deque(waiting for waiting in self._bulk if not waiting.future.done())
        return outcomes

    def take(self) -> list[Waiting]:
        """Singles first, but a bulk load always gets the rest of a batch, and a quarter of it at least."""
        taken: list[Waiting] = []
        singles = min(MOST_BULK if self._bulk else MOST_INTENTS, max(_FEWEST, len(self._in_flight) // 2))
        weight = 0
        now = asyncio.get_running_loop().time()
        self._look_at_the_clock()
        for queue, most in ((self._singles, singles), (self._bulk, MOST_INTENTS)):
            while queue and len(taken) < most and weight < log.MOST_BYTES:
                waiting = queue.popleft()
                if waiting.deadline <= now or self._slept_over(waiting):
                    settle(waiting.future, Unavailable(_UNREACHED))
                if waiting.future.done():
                    continue
                waiting.attempted = True
                weight += waiting.intent.weight
                taken.append(waiting)
        return taken

    def live(self, batch: Sequence[Waiting], retried: bool) -> list[int]:
        """The places of those that may be carried out now, under the lock.

        Not of those that were answered meanwhile, nor of those whose clients have gone, to ask elsewhere perhaps.
        """
        self._look_at_the_clock()
        for waiting in batch:
            if self._slept_over(waiting) or waiting.intent.gone():
                settle(waiting.future, OutcomeUnknown(_UNKNOWN) if retried else Unavailable(_UNREACHED))
        return [place for place, waiting in enumerate(batch) if not waiting.future.done()]

    def _slept_over(self, waiting: Waiting) -> bool:
        """Whether this process slept with it in hand: whoever asked may have asked elsewhere, and been refused."""
        return waiting.since < self._woke

    def _look_at_the_clock(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._awake > _SLEPT:
            self._woke = now + _DAZED
        self._awake = now

    def put_back(self, postponed: Sequence[Waiting]) -> None:
        self._singles.extendleft(reversed(postponed))

    def answer(self, answers: Sequence[tuple[Waiting, AnyHandled | Exception]]) -> None:
        """At once; but if others wait, when the database has their batch to write and this process time to spare."""
        self._answers += answers
        if self:
            asyncio.get_running_loop().call_later(_COURTESY, self.answer_now)
        else:
            self.answer_now()

    def answer_now(self) -> None:
        """A few at a time: between them the loop turns, so that the next statement is not kept waiting."""
        answers, self._answers = self._answers, []
        for waiting, outcome in answers[:_ANSWERED_AT_ONCE]:
            settle(waiting.future, outcome)
        if len(answers) > _ANSWERED_AT_ONCE:
            self._answers = answers[_ANSWERED_AT_ONCE:] + self._answers
            asyncio.get_running_loop().call_soon(self.answer_now)

    async def watch_deadlines(self) -> None:
        """One timer for all: whoever has waited too long is answered, whatever the database does."""
        while True:
            self._look_at_the_clock()
            now = asyncio.get_running_loop().time()
            for waiting in [w for w in self._in_flight.values() if w.deadline <= now and not w.future.done()]:
                if waiting.attempted:
                    settle(waiting.future, OutcomeUnknown(_UNKNOWN))
                else:
                    settle(waiting.future, Unavailable(_UNREACHED))
            await asyncio.sleep(_SWEEP_EVERY)

    def _add(self, intent: Intent, queue: deque[Waiting], patience: float) -> Waiting:
        """Raises `Conflict` or `Overloaded` without having changed anything."""
        key = (intent.actor, intent.key)
        if key in self._in_flight:
            raise Conflict("A request with this idempotency key is under way.", code="IDEMPOTENCY_KEY_IN_USE")
        if len(queue) >= self._most_waiting:
            raise Overloaded("Too many commands are waiting.")
        loop = asyncio.get_running_loop()
        now = loop.time()
        waiting = Waiting(intent, loop.create_future(), now, now + patience)
        self._in_flight[key] = waiting
        queue.append(waiting)
        self.filled.set()
        return waiting

    def _forget(self, waiting: Waiting) -> None:
        del self._in_flight[waiting.intent.actor, waiting.intent.key]
