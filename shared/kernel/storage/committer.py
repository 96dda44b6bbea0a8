"""The one way to write: takes every intent that waits, commits them in one transaction, then answers everyone."""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from kernel.runtime.bell import Bell
from kernel.runtime.logs import told
from kernel.storage import log as log_
from kernel.storage.aggregate import AnyHandled, Intent
from kernel.storage.batch import Batch, Outcome, Postponed, Within
from kernel.storage.catalog import Catalog, ViewUnknown
from kernel.storage.database import Connection, Database
from kernel.storage.failures import OutcomeUnknown, passing, settle
from kernel.storage.locks import WATCH_AFTER, cut_off_stopped_holder
from kernel.storage.metrics import BATCH_SIZE, COMMITTED, LOCK_WAIT
from kernel.storage.waiting import Queues, Waiting

log = structlog.get_logger()

_TRANSACTION_TIMEOUT = 15.0


@dataclass(slots=True, eq=False)
class _Alone:
    """A batch of its own, with work of the caller's in the same transaction."""

    intents: Sequence[Intent]
    within: Within
    future: "asyncio.Future[list[Outcome]]"


class Committer:
    def __init__(
        self, database: Database, catalog: Catalog, *, most_waiting: int = 2000, patience: float = 10.0
    ) -> None:
        self._database = database
        self._catalog = catalog
        self._patience = patience
        self._queues = Queues(most_waiting, patience)
        self._alone: deque[_Alone] = deque()
        self._busy = False
        self.committed = Bell()
        self._connection: Connection | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._run(), name="committer"),
            asyncio.create_task(self._queues.watch_deadlines(), name="committer-deadlines"),
        ]

    async def stop(self) -> None:
        """Finishes what waits, then ends."""
        while self._alone or self._busy or not self._queues.idle:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        self._drop_connection()

    async def submit(self, intent: Intent) -> AnyHandled:
        """Answers after the commit. Raises `Refused`, `Unavailable`, `OutcomeUnknown`, or what the code raised."""
        return await self._queues.single(intent)

    async def submit_all(self, intents: Sequence[Intent]) -> list[Outcome]:
        """Many independent intents, in slices between which single ones get their turn."""
        return await self._queues.bulk(intents)

    async def run_alone(self, intents: Sequence[Intent], within: Within) -> list[Outcome]:
        """One transaction for these intents and `within`; an exception leaves nothing of either."""
        alone = _Alone(intents, within, asyncio.get_running_loop().create_future())
        self._alone.append(alone)
        self._queues.filled.set()
        return await alone.future

    async def _run(self) -> None:
        while True:
            await self._queues.filled.wait()
            self._queues.filled.clear()
            self._busy = True
            while self._alone or self._queues:
                if self._alone:
                    await self._commit_alone(self._alone.popleft())
                waiting = self._queues.take()
                if waiting:
                    await self._commit(waiting)
            self._busy = False

    async def _commit(self, batch: list[Waiting]) -> None:
        try:
            outcomes = await self._with_retries([waiting.intent for waiting in batch], None, batch)
        except Exception as error:
            if len(batch) > 1 and not isinstance(error, ViewUnknown | OutcomeUnknown):
                # One of them poisons the batch: halve until it stands alone, and serve its neighbours.
                middle = len(batch) // 2
                await self._commit(batch[:middle])
                await self._commit(batch[middle:])
                return
            log.error("batch_failed", intents=len(batch), **told(error))
            outcomes = [error.with_traceback(None)] * len(batch)
        done = list(zip(batch, outcomes, strict=True))
        self._queues.put_back([waiting for waiting, outcome in done if isinstance(outcome, Postponed)])
        self._queues.answer([one for one in done if not isinstance(one[1], Postponed)])

    async def _commit_alone(self, alone: _Alone) -> None:
        try:
            outcomes = await self._with_retries(alone.intents, alone.within, ())
        except Exception as error:
            settle(alone.future, error)
        else:
            settle(alone.future, outcomes)

    async def _with_retries(
        self, intents: Sequence[Intent], within: Within | None, waiting: Sequence[Waiting]
    ) -> list[Outcome]:
        """Runs the batch until it is committed or someone is at fault; the claims keep a second run from doubling."""
        give_up = asyncio.get_running_loop().time() + self._patience
        pause = 0.05
        retried = False
        while True:
            outcomes: list[Outcome] = [OutcomeUnknown("The outcome is not known yet.")] * len(intents)
            try:
                async with asyncio.timeout(_TRANSACTION_TIMEOUT):
                    connection = await self._locked()
                    live = self._queues.live(waiting, retried) if waiting else range(len(intents))
                    done = await self._run_batch(connection, [intents[n] for n in live], within)
                for n, outcome in zip(live, done, strict=True):
                    outcomes[n] = outcome
                return outcomes
            except Exception as error:
                if not passing(error):
                    await self._rollback()
                    raise
                self._drop_connection()
                log.warning("batch_interrupted", error=repr(error), intents=len(intents))
                if asyncio.get_running_loop().time() + pause > give_up:
                    raise OutcomeUnknown("The database did not answer in time.") from error
            retried = True
            await asyncio.sleep(pause)
            pause = min(pause * 2, 1.0)

    async def _locked(self) -> Connection:
        if self._connection is None:
            self._connection = await self._database.connect()
        with LOCK_WAIT.time():
            await self._begin(self._connection)
        return self._connection

    async def _run_batch(
        self, connection: Connection, intents: Sequence[Intent], within: Within | None
    ) -> list[Outcome]:
        batch = Batch(connection, self._catalog, intents, self._queues.answer_now)
        outcomes = await batch.run(within)
        self.committed.ring()
        BATCH_SIZE.observe(len(intents))
        COMMITTED.inc(sum(not isinstance(outcome, Exception) for outcome in outcomes))
        return outcomes

    async def _begin(self, connection: Connection) -> None:
        """Waits for the log's lock; whoever has stopped while holding it is cut off."""
        watch = asyncio.get_running_loop().call_later(WATCH_AFTER, self._watch)
        self._watcher: asyncio.Task[None] | None = None
        try:
            await log_.begin(connection)
        finally:
            watch.cancel()
            if self._watcher:
                self._watcher.cancel()

    def _watch(self) -> None:
        self._watcher = asyncio.create_task(cut_off_stopped_holder(self._database))

    async def _rollback(self) -> None:
        try:
            if self._connection:
                async with asyncio.timeout(2):
                    await self._connection.execute("ROLLBACK")
        except Exception:
            self._drop_connection()

    def _drop_connection(self) -> None:
        if self._connection:
            self._connection.terminate()
            self._connection = None
