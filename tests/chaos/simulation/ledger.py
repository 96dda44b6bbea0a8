"""What the clients know: what they asked for, and how they were answered. It believes nothing else."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tests.chaos.simulation.plan import Wish


@dataclass(frozen=True, slots=True)
class Said:
    """What an answer shows of an account."""

    version: int
    amount: int
    name: str | None
    erased: bool
    replayed: bool


@dataclass(slots=True)
class Entry:
    wish: Wish
    stream: UUID
    first_sent: float
    last_sent: float = 0.0
    # None: nobody knows yet.
    outcome: str | None = None
    answered: float = 0.0
    said: Said | None = None
    # Its effect may have been undone by a restore, from which on nothing is claimed of it.
    withdrawn: bool = False


@dataclass(slots=True)
class Ledger:
    entries: dict[str, Entry] = field(default_factory=dict)
    # From when on each person is known to be erased, as those who asked for it were told.
    erased: dict[UUID, float] = field(default_factory=dict)
    violations: dict[str, str] = field(default_factory=dict)

    def restored(self, taken: float, listed: set[UUID]) -> None:
        """Of what was answered after the backup was taken nothing is claimed any more."""
        for entry in self.entries.values():
            if entry.outcome == "acknowledged" and entry.answered > taken:
                entry.withdrawn = True
        self.erased = {p: since for p, since in self.erased.items() if since <= taken or p in listed}

    def violated(self, kind: str, what: Any) -> None:
        self.violations.setdefault(kind, str(what))

    def acknowledged(self) -> list[Entry]:
        return [entry for entry in self.entries.values() if entry.outcome == "acknowledged"]
