"""Two sinks whose effect is not harmless when it happens twice: a reaction, and rows that nothing keeps apart."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from kernel.messaging.followers import Checkpoint
from kernel.messaging.records import PublicRecord
from kernel.messaging.service import Node
from kernel.messaging.tracker import Withdrawal
from kernel.storage import log
from kernel.storage.aggregate import AnyAggregate, Intent, Step

from tests.chaos.simulation.hearing import CountRecord, tally
from tests.chaos.simulation.ids import new_id
from tests.chaos.simulation.statements import columns, on
from tests.chaos.simulation.store import Transaction

TALLY = UUID(int=0x7A11)
COUNT = "INSERT INTO counted"


@on(COUNT)
def count(tx: Transaction, *given: Sequence[Any]) -> int:
    for row in columns("incarnation position", *given):
        tx.put("counted", tx.store.draw("counted"), row)
    return len(given[0])


class Counting:
    """A reaction: every record of the accounts is counted once, in the tally's own log."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def reset(self) -> None:
        """Remembers nothing."""

    async def apply(
        self, records: Sequence[PublicRecord], withdrawals: Sequence[Withdrawal], checkpoint: Checkpoint
    ) -> None:
        intents = [_counting(record) for record in records]
        for outcome in await self._node.committer.run_alone(intents, checkpoint):
            if isinstance(outcome, Exception):
                raise outcome


def _counting(record: PublicRecord) -> Intent:
    command = CountRecord(source_position=record.position, incarnation=record.incarnation)
    return intent_of((tally, TALLY, command), key=f"count:{new_id()}")


class Table:
    """A row for every record, in a transaction of its own with the checkpoint."""

    def __init__(self, node: Node) -> None:
        self._database = node.database

    def reset(self) -> None:
        """Remembers nothing."""

    async def apply(
        self, records: Sequence[PublicRecord], withdrawals: Sequence[Withdrawal], checkpoint: Checkpoint
    ) -> None:
        async with self._database.driver() as connection:
            await log.begin(connection)
            await checkpoint(connection)
            if records:
                places = [(record.incarnation, record.position) for record in records]
                await connection.execute(COUNT, *zip(*places, strict=True))
            await connection.execute("COMMIT")


def intent_of(*steps: tuple[AnyAggregate, UUID, Any], key: str) -> Intent:
    command_id = new_id()
    return Intent(
        steps=tuple(Step(*step) for step in steps),
        actor="client",
        key=key,
        fingerprint=key.encode(),
        command_id=command_id,
        correlation_id=str(command_id),
    )
