"""Timers: rows that aggregates ask for by their state; the lease holder sends what is due through the committer."""

import asyncio
from collections.abc import Sequence

import structlog

from kernel.domain.ids import new_id
from kernel.messaging.service import Node
from kernel.runtime.logs import told
from kernel.storage.aggregate import Intent, Step
from kernel.storage.database import Connection
from kernel.storage.failures import OutcomeUnknown
from kernel.storage.lease import Lease, LeaseLost
from kernel.storage.views import Row

log = structlog.get_logger()

_POLL = 0.5
# The transaction's time: with one that changes from row to row every timer would be read, however far ahead it lies.
_DUE = """
SELECT stream_id, kind, category, due_at FROM timers
WHERE next_try_at <= now() ORDER BY next_try_at LIMIT 128
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
        try:
            await self._send(lease, due)
        except (LeaseLost, OutcomeUnknown):
            raise
        except Exception:
            # One of them poisons the batch: each on its own, so that only that one waits.
            for row in due:
                await self._send_one(lease, row)
        return len(due)

    async def _send(self, lease: Lease, due: Sequence[Row]) -> None:
        async def within(connection: Connection) -> None:
            await lease.fence(connection)
            await _put_off(connection, due)

        await self._node.committer.run_alone([self._intent(row) for row in due], within)

    async def _send_one(self, lease: Lease, row: Row) -> None:
        try:
            await self._send(lease, [row])
        except (LeaseLost, OutcomeUnknown):
            raise
        except Exception as error:
            log.error("timer_failed", category=row["category"], kind=row["kind"], **told(error))
            async with self._node.database.reading() as connection:
                await _put_off(connection, [row])

    def _intent(self, row: Row) -> Intent:
        aggregate = self._node.catalog.aggregate(row["category"])
        if aggregate.timers is None:
            raise AssertionError(f"{aggregate.category} has a timer row and no timers")
        command_id = new_id()
        command = aggregate.timers.command(row["kind"], row["due_at"])
        return Intent(
            steps=(Step(aggregate, row["stream_id"], command),),
            actor="timer",
            key=f"timer:{command_id}",
            fingerprint=b"",
            command_id=command_id,
            correlation_id=str(command_id),
            occurred_at=row["due_at"],
        )


async def _put_off(connection: Connection, rows: Sequence[Row]) -> None:
    await connection.execute(_LATER, [row["stream_id"] for row in rows], [row["kind"] for row in rows])
