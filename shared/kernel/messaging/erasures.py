"""Whom a restore must not bring back: an append-only file of erased persons' ids, kept outside the database."""

import os
from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

from kernel.domain.errors import NotFound
from kernel.domain.ids import new_id
from kernel.messaging.incarnations import start_incarnation
from kernel.messaging.service import Node
from kernel.storage.aggregate import Intent, Step
from kernel.storage.database import Connection
from kernel.storage.persons import ForgetPerson, person

_ERASED = "SELECT person_id FROM person_keys WHERE shredded_at IS NOT NULL AND person_id = ANY($1::uuid[])"


class ErasureFile:
    """One id a line. Without a path nothing is kept, and a restore knows only what the backup knows."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def add(self, persons: Iterable[UUID]) -> None:
        """Durable when it returns; an id that is there already does no harm."""
        lines = "".join(f"{person_id}\n" for person_id in persons)
        if self._path is None or not lines:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="ascii") as file:
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> set[UUID]:
        if self._path is None or not self._path.exists():
            return set()
        # A line that a crash cut short names nobody; its erasure is relayed again.
        return {UUID(line) for line in self._path.read_text("ascii").split() if len(line) == 36}


async def brought_back(connection: Connection, file: ErasureFile) -> set[UUID]:
    """Erased persons whose keys this database still has, or might make again."""
    listed = file.read()
    rows = await connection.fetch(_ERASED, list(listed))
    return listed - {row["person_id"] for row in rows}


async def restored(node: Node) -> tuple[UUID, int]:
    """To be run after a restore and before anything starts: another incarnation, and the erased are erased again.

    Answers the incarnation and how many persons were erased again.
    """
    async with node.database.driver() as connection:
        incarnation = await start_incarnation(connection)
        again = await brought_back(connection, ErasureFile(node.settings.erasures_file))
    for person_id in sorted(again):
        await _erase_again(node, person_id)
    return incarnation, len(again)


async def _erase_again(node: Node, person_id: UUID) -> None:
    erase = node.service.erase
    if erase is not None:
        try:
            await node.committer.submit(_intent(erase(person_id)))
            return
        except NotFound:
            pass  # the backup is older than the record: its key is refused all the same
    await node.committer.submit(_intent(Step(person, person_id, ForgetPerson())))


def _intent(step: Step) -> Intent:
    command_id = new_id()
    return Intent(
        steps=(step,),
        actor="restore",
        key=f"restore:{command_id}",
        fingerprint=b"",
        command_id=command_id,
        correlation_id=str(command_id),
    )
