"""Whom a restore must not bring back: an append-only file of erased persons' ids, kept outside the database."""

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

import structlog

from kernel.domain.errors import Refused
from kernel.domain.ids import new_id
from kernel.messaging.incarnations import start_incarnation
from kernel.messaging.service import Node
from kernel.runtime.settings import ServiceSettings
from kernel.storage import log as log_
from kernel.storage.aggregate import Intent, Step
from kernel.storage.database import Connection
from kernel.storage.persons import ForgetPerson, person
from kernel.storage.writes import erase

log = structlog.get_logger()

_POLL = 0.25
_PAUSE = 0.5
_SHREDDED = "SELECT person_id FROM person_keys WHERE shredded_at IS NOT NULL"
_NEWS = "SELECT stream_id FROM events WHERE position > $1 AND position <= $2 AND type = ANY($3::text[])"
_ERASED = "SELECT person_id FROM person_keys WHERE shredded_at IS NOT NULL AND person_id = ANY($1::uuid[])"


class ErasuresUnknown(Exception):
    """There is no list, so nobody can say whom a restore has brought back."""


class ErasureFile:
    """One id a line. Every worker makes it at its start: one that is missing was lost, and is not taken for empty."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def make(self) -> None:
        """Empty, where there is none."""
        if self._path.exists():
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.touch()
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def add(self, persons: Iterable[UUID]) -> None:
        """Durable when it returns; an id that is there already does no harm. Never makes the file."""
        lines = "".join(f"{person_id}\n" for person_id in persons)
        if not lines:
            return
        with open(self._path, "a", encoding="ascii", opener=_existing) as file:
            # What a crash cut short before it must not swallow the first of them.
            file.write(f"\n{lines}")
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> set[UUID]:
        try:
            words = self._path.read_text("ascii").split()
        except OSError as error:
            raise ErasuresUnknown(
                f"The list of erased persons {self._path} cannot be read: {error.strerror}"
            ) from None
        # A line that a crash cut short names nobody; the worker adds it again.
        return {UUID(word) for word in words if len(word) == 36}


def list_of(settings: ServiceSettings) -> ErasureFile:
    if settings.erasures_file is None:
        raise ErasuresUnknown("CRM_ERASURES_FILE names no list of erased persons")
    return ErasureFile(settings.erasures_file)


async def keep_list(node: Node) -> None:
    """Puts on the list, within moments, whoever is erased: behind no broker and no lease. Until cancelled."""
    path = node.settings.erasures_file
    if path is None:
        log.warning("erasures_not_listed", error="CRM_ERASURES_FILE is not set")
        return
    file = ErasureFile(path)
    while True:
        try:
            file.make()
            async with node.database.driver() as connection:
                await _follow(node, connection, file)
        except Exception as error:
            log.error("erasures_not_listed", file=str(path), error=repr(error))
        await asyncio.sleep(_PAUSE)


async def _follow(node: Node, connection: Connection, file: ErasureFile) -> None:
    """First all whom the database knows to be erased, then what the log tells, until the log goes back."""
    place = await log_.end(connection)
    erased = {row["person_id"] for row in await connection.fetch(_SHREDDED)}
    file.add(sorted(erased - file.read()))
    types = sorted(node.catalog.erasing)
    while (end := await log_.end(connection)) >= place:
        if end > place:
            rows = await connection.fetch(_NEWS, place, end, types)
            file.add(row["stream_id"] for row in rows)
            place = end
        await asyncio.sleep(_POLL)


def _existing(path: str, flags: int) -> int:
    """A file that was taken away is not begun again in the middle."""
    return os.open(path, flags & ~os.O_CREAT)


async def brought_back(connection: Connection, file: ErasureFile) -> set[UUID]:
    """Erased persons whose keys this database still has, or might make again."""
    listed = file.read()
    rows = await connection.fetch(_ERASED, list(listed))
    return listed - {row["person_id"] for row in rows}


async def restored(node: Node) -> tuple[UUID, int]:
    """To be run after a restore and before anything starts: another incarnation, and the erased are erased again.

    Answers the incarnation and how many persons were erased again. Raises `ErasuresUnknown` before anything is done.
    """
    file = list_of(node.settings)
    file.read()
    async with node.database.driver() as connection:
        incarnation = await start_incarnation(connection)
        again = await brought_back(connection, file)
    for person_id in sorted(again):
        await _erase_again(node, person_id)
    return incarnation, len(again)


async def _erase_again(node: Node, person_id: UUID) -> None:
    """By a fact, if there is anything to tell it of; the key is refused whatever becomes of that."""
    steps = [Step(person, person_id, ForgetPerson())]
    if node.service.erase is not None:
        # Refused where the backup is older than the record, and then nothing but the key is left to forget.
        steps.insert(0, node.service.erase(person_id))

    async def shred(connection: Connection) -> None:
        await erase(connection, node.catalog.views, [person_id])

    for outcome in await node.committer.run_alone([_intent(step) for step in steps], shred):
        if isinstance(outcome, Exception) and not isinstance(outcome, Refused):
            raise outcome


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
