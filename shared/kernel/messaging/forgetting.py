"""Erasure by event: who was erased in contacts is forgotten in every other service, exactly once."""

from collections.abc import Sequence
from uuid import UUID

import structlog

from kernel.domain.errors import Refused
from kernel.domain.ids import new_id
from kernel.messaging.followers import Checkpoint
from kernel.messaging.records import PublicRecord
from kernel.messaging.service import Node
from kernel.messaging.tracker import Withdrawal
from kernel.storage.aggregate import Intent, Step
from kernel.storage.database import Connection
from kernel.storage.persons import ForgetPerson, person
from kernel.storage.writes import erase

log = structlog.get_logger()

PERSON_ERASED = "crm.contacts.person-erased.v1"


class Forgetting:
    """A sink: each `PersonErased` is a `ForgetPerson` here, when it is heard. Nobody is brought back."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def reset(self) -> None:
        """Remembers nothing."""

    async def apply(
        self, records: Sequence[PublicRecord], withdrawals: Sequence[Withdrawal], checkpoint: Checkpoint
    ) -> None:
        erasures = [record for record in records if record.type == PERSON_ERASED]
        persons = sorted({UUID(record.data["person_id"]) for record in erasures})

        async def forget(connection: Connection) -> None:
            await checkpoint(connection)
            if persons:
                # Whatever becomes of the fact: the bookmark is behind this record for good.
                await erase(connection, self._node.catalog.views, persons)

        outcomes = await self._node.committer.run_alone([_intent(record) for record in erasures], forget)
        for record, outcome in zip(erasures, outcomes, strict=True):
            if isinstance(outcome, Refused):
                # An id that a client gave to something else has no stream of a person's.
                log.warning("forgotten_without_a_fact", person=record.data["person_id"], code=outcome.code)
            elif isinstance(outcome, Exception):
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
    )
