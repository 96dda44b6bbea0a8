"""What the clients were told, kept to be held against what is stored; and what was found to be wrong."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

# Of each kind of violation so many are told in full.
DESCRIBED = 5


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A command that was answered with success: to which record, at which version, with how many facts."""

    service: str
    id: str
    version: int
    facts: int
    sent_at: float
    answered_at: float


@dataclass(slots=True)
class Ledger:
    """By idempotency key. `uncertain`: given up in a restore, so it may be stored or not, but not twice."""

    acknowledged: dict[str, Acknowledged] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    uncertain: dict[str, str] = field(default_factory=dict)
    # Acknowledged after a backup that was restored: these must be gone.
    taken_back: dict[str, Acknowledged] = field(default_factory=dict)
    refusals: int = 0

    def acknowledge(self, key: str, service: str, id: str, version: int, facts: int, sent_at: float) -> None:
        said = Acknowledged(service, id, version, facts, sent_at, time.monotonic())
        self.acknowledged[key] = said

    def refuse(self, key: str, service: str) -> None:
        self.refused[key] = service
        self.refusals += 1

    def restore(self, service: str, since: float, until: float) -> None:
        """The service went back to a backup that was made between these moments."""
        for key, said in list(self.acknowledged.items()):
            if said.service != service or said.answered_at < since:
                continue
            del self.acknowledged[key]
            if said.sent_at > until:
                self.taken_back[key] = said
            else:
                self.uncertain[key] = service

    def of(self, service: str, since: float = 0.0) -> dict[str, Acknowledged]:
        return {key: said for key, said in self.newest_first(service, since)}

    def newest_first(self, service: str, since: float) -> Iterator[tuple[str, Acknowledged]]:
        # A copy, because clients go on while a thread looks.
        for key, said in reversed(self.acknowledged.copy().items()):
            if said.answered_at < since:
                return
            if said.service == service:
                yield key, said


@dataclass(slots=True)
class Findings:
    """Violations by the promise that was broken."""

    counts: Counter[str] = field(default_factory=Counter)
    described: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    _known: set[tuple[str, str]] = field(default_factory=set)

    def add(self, promise: str, how: str) -> None:
        """The same thing seen again is no second violation."""
        if (promise, how) in self._known:
            return
        self._known.add((promise, how))
        self.counts[promise] += 1
        if len(self.described[promise]) < DESCRIBED:
            self.described[promise].append(how)

    def clear(self) -> None:
        for each in (self.counts, self.described, self._known):
            each.clear()

    def lines(self) -> Iterator[str]:
        for promise, described in self.described.items():
            yield f"broken {self.counts[promise]} times: {promise}"
            yield from (f"  {how}" for how in described)

    def __len__(self) -> int:
        return self.counts.total()
