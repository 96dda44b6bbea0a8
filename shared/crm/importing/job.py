"""One import: rows in slices, several under way, and a state beside the file from which a killed one goes on."""

import asyncio
import csv
import io
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from kernel.domain.clock import now

from crm.importing.mapping import RowMap
from crm.importing.rows import NumberedRow
from crm.importing.values import Unconvertible
from crm.local import write_whole
from crm.sending import Item, Outcome, Sender

SLICE_COMMANDS = 400
REFUSED_COLUMNS = ("row", "command", "code", "detail", "pointer")


@dataclass(slots=True)
class Count:
    rows: int = 0
    commands: int = 0
    replayed: int = 0
    refused: int = 0


@dataclass(slots=True)
class Slice:
    """`row_of` has the number of each item's row."""

    rows: dict[int, dict[str, str]] = field(default_factory=dict)
    items: list[Item] = field(default_factory=list)
    row_of: list[int] = field(default_factory=list)
    refused: list[tuple[int, str, dict[str, Any]]] = field(default_factory=list)


def make_slices(rows: Iterable[NumberedRow], mapping: RowMap, most: int = SLICE_COMMANDS) -> Iterator[Slice]:
    """The commands of one row are always in one slice, in order."""
    slice_ = Slice()
    for number, row in rows:
        slice_.rows[number] = row
        try:
            # Whole before any of it is sent: a row with a bad cell does nothing.
            items = list(mapping.items(number, row))
        except Unconvertible as error:
            problem = {"code": "CELL_INVALID", "detail": error.detail, "pointer": error.column}
            slice_.refused.append((number, error.command, problem))
        else:
            slice_.items += items
            slice_.row_of += [number] * len(items)
        if len(slice_.items) >= most or len(slice_.rows) >= 10 * most:
            yield slice_
            slice_ = Slice()
    if slice_.rows:
        yield slice_


class Journal:
    """How far an import has got, by whom and when it was begun, and the rows that were refused until then.

    The refusals are written before the state that counts them, and what the state does not count is cut off
    when the import goes on: neither is lost nor doubled, wherever it was killed.
    """

    def __init__(self, state: Path, refused: Path, fingerprint: str, by: str = "") -> None:
        self.state = state
        self.refused = refused
        self.count = Count()
        self.by = by
        self.begun = now()
        self._fingerprint = fingerprint
        self.slices = self._read()

    def note(self, slice_: Slice, outcomes: Sequence[Outcome]) -> None:
        failed = [*slice_.refused, *_refusals(slice_, outcomes)]
        if failed:
            self._write_refused(slice_, failed)
        self.slices += 1
        self.count.rows += len(slice_.rows)
        self.count.commands += len(outcomes)
        self.count.replayed += sum(outcome.replayed for outcome in outcomes)
        self.count.refused += len(failed)
        self.write()

    def write(self) -> None:
        """Also before anything is sent: who and when must be known of what was under way at the end."""
        said = {
            "fingerprint": self._fingerprint,
            "by": self.by,
            "begun": self.begun.isoformat(),
            "slices": self.slices,
            "refused_bytes": self.refused.stat().st_size if self.refused.exists() else 0,
            "count": _fields(self.count),
        }
        write_whole(self.state, json.dumps(said))

    def close(self) -> None:
        self.state.unlink(missing_ok=True)

    def _read(self) -> int:
        try:
            said = json.loads(self.state.read_text())
        except (OSError, ValueError):
            said = {}
        if said.get("fingerprint") != self._fingerprint:
            self.refused.unlink(missing_ok=True)
            return 0
        self.count = Count(**said["count"])
        # A state that does not say so may be anybody's.
        self.by = said.get("by", "")
        self.begun = datetime.fromisoformat(said["begun"]) if "begun" in said else self.begun
        if self.refused.exists():
            with self.refused.open("r+b") as file:
                file.truncate(said["refused_bytes"])
        return int(said["slices"])

    def _write_refused(self, slice_: Slice, failed: Sequence[tuple[int, str, dict[str, Any]]]) -> None:
        text = io.StringIO()
        columns = list(next(iter(slice_.rows.values())))
        writer = csv.writer(text)
        if not self.refused.exists() or not self.refused.stat().st_size:
            # The mark lets spreadsheets see that it is UTF-8.
            text.write("\ufeff")
            writer.writerow([*columns, *REFUSED_COLUMNS])
        for number, command, problem in sorted(failed, key=lambda entry: entry[0]):
            told = (number, command, problem.get("code"), problem.get("detail"), _pointer(problem))
            writer.writerow([*slice_.rows[number].values(), *told])
        with self.refused.open("ab") as file:
            file.write(text.getvalue().encode())


async def carry_out(
    sender: Sender,
    slices: Iterable[Slice],
    journal: Journal,
    *,
    under_way: int,
    told: Callable[[Slice], None],
) -> None:
    """Several slices are sent at once and noted in their order, so that the state is always a whole beginning."""
    waiting: deque[tuple[Slice, asyncio.Task[list[Outcome]]]] = deque()

    async def finish_one() -> None:
        slice_, task = waiting[0]
        outcomes = await task
        waiting.popleft()
        journal.note(slice_, outcomes)
        told(slice_)

    done = journal.slices
    journal.write()
    try:
        for number, slice_ in enumerate(slices):
            if number < done:
                told(slice_)
                continue
            waiting.append((slice_, asyncio.create_task(sender.send(slice_.items))))
            if len(waiting) >= under_way:
                await finish_one()
        while waiting:
            await finish_one()
    finally:
        for _, task in waiting:
            task.cancel()
        await asyncio.gather(*(task for _, task in waiting), return_exceptions=True)
    journal.close()


def _refusals(slice_: Slice, outcomes: Sequence[Outcome]) -> Iterator[tuple[int, str, dict[str, Any]]]:
    for number, outcome in zip(slice_.row_of, outcomes, strict=True):
        if outcome.problem:
            yield number, outcome.item.command, outcome.problem


def _pointer(problem: dict[str, Any]) -> str:
    entries = problem.get("errors") or [problem]
    return " ".join(str(entry["pointer"]) for entry in entries if entry.get("pointer"))


def _fields(count: Count) -> dict[str, int]:
    return {name: getattr(count, name) for name in Count.__slots__}
