"""Timers: rows that aggregates ask for by their state; the lease holder sends what is due through the committer."""

import asyncio

import structlog

from kernel.domain.errors import Refused
from kernel.domain.ids import new_id
from kernel.messaging.service import Node
from kernel.storage.aggregate import Intent, Step
from kernel.storage.database import Connection
from kernel.storage.lease import Lease

log = structlog.get_logger()

_POLL = 0.5
_DUE = """
SELECT stream_id, kind, category, due_at FROM timers
WHERE next_try_at <= clock_timestamp() ORDER BY next_try_at LIMIT 128
"""
# What fired leaves by its state, in the same transaction. What is still there was refused or failed: later again.
_LATER = """
UPDATE timers SET attempts = attempts + 1,
    next_try_at = clock_timestamp() + least(interval '1 hour', interval '5 seconds' * 2 ^ least(attempts, 10))
WHERE (stream_id, kind) IN (SELECT * FROM unnest($1::uuid[], $2::text[]))
"""


class Timers:
    def __init__(self, node: Node) -> None:
        self._node = node

    async def run(self, lease: Lease) -> None:
        while True:
            if not await self.fire(lease):
                await asyncio.sleep(_POLL)

    async def fire(self, lease: Lease) -> int:
        """Sends what is due, at most one batch; answers how many."""
        async with self._node.database.reading() as connection:
            due = await connection.fetch(_DUE)
        if not due:
            return 0
        intents = [self._intent(row) for row in due]

        async def within(connection: Connection) -> None:
            await lease.fence(connection)
            await connection.execute(_LATER, [row["stream_id"] for row in due], [row["kind"] for row in due])

        for outcome in await self._node.committer.run_alone(intents, within):
            if isinstance(outcome, Exception) and not isinstance(outcome, Refused):
                log.error("timer_failed", error=repr(outcome))
        return len(due)

    def _intent(self, row: dict[str, object]) -> Intent:
        aggregate = self._node.catalog.aggregate(str(row["category"]))
        if aggregate.timers is None:
            raise AssertionError(f"{aggregate.category} has a timer row and no timers")
        command_id = new_id()
        command = aggregate.timers.command(str(row["kind"]), row["due_at"])  # type: ignore[arg-type]
        return Intent(
            steps=(Step(aggregate, row["stream_id"], command),),  # type: ignore[arg-type]
            actor="timer",
            key=f"timer:{command_id}",
            fingerprint=b"",
            command_id=command_id,
            correlation_id=str(command_id),
            occurred_at=row["due_at"],  # type: ignore[arg-type]
        )
