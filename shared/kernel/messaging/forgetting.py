"""Erasure by event: who was erased in contacts is forgotten in every other service, exactly once."""

from collections.abc import Sequence
from uuid import UUID

from kernel.domain.ids import new_id
from kernel.messaging.followers import Checkpoint
from kernel.messaging.records import PublicRecord
from kernel.messaging.service import Node
from kernel.messaging.tracker import Withdrawal
from kernel.storage.aggregate import Intent, Step
from kernel.storage.persons import ForgetPerson, person

PERSON_ERASED = "crm.contacts.person-erased.v1"


class Forgetting:
    """A sink: each `PersonErased` is a `ForgetPerson` here. What was forgotten is never brought back."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def reset(self) -> None:
        """Remembers nothing."""

    async def apply(
        self, records: Sequence[PublicRecord], withdrawals: Sequence[Withdrawal], checkpoint: Checkpoint
    ) -> None:
        intents = [_intent(record) for record in records if record.type == PERSON_ERASED]
        for outcome in await self._node.committer.run_alone(intents, checkpoint):
            if isinstance(outcome, Exception):
                raise outcome


def _intent(record: PublicRecord) -> Intent:
    command_id = new_id()
    return Intent(
        steps=(Step(person, UUID(record.data["person_id"]), ForgetPerson()),),
        actor=f"service:{record.source}",
        key=f"forget:{command_id}",
        fingerprint=b"",
        command_id=command_id,
        correlation_id=record.correlation_id,
        causation_id=str(record.event_id),
        traceparent=record.traceparent,
        occurred_at=record.occurred_at,
    )
