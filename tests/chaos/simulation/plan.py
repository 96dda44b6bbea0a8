"""A history before it happens: who will ask for what and when, and what will go wrong, from a seed alone."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

FAULTS = {
    "kill an API": 3,
    "kill a relay": 3,
    "kill a reader": 3,
    "stop an API": 2,
    "stop a relay": 2,
    "stop a reader": 2,
    "cut a connection": 4,
    "lose a commit": 3,
    "lose a commit's answer": 4,
    "stall a statement": 2,
    "fail a statement": 2,
    "restart a server": 2,
    "restore a backup": 1,
    "lose acknowledgements": 3,
    "keep a part of a batch": 2,
    "delay a batch": 2,
    "repeat old records": 2,
    "lose a tail": 2,
    "expire records": 2,
    "make the topic anew": 1,
    "take the broker away": 1,
    "break the view": 2,
}
READERS = ("projection", "reaction", "table", "forgetting")
KINDS = ("open", "add", "add", "add", "add", "move", "move", "remark", "tag", "erase")


@dataclass(frozen=True, slots=True)
class Wish:
    """One command of one client. `again`: it is sent once more although it was answered."""

    number: int
    client: int
    pause: float
    kind: str
    account: int
    other: int
    by: int
    again: bool

    @property
    def ref(self) -> str:
        return f"c{self.number}"


@dataclass(frozen=True, slots=True)
class Fault:
    number: int
    at: float
    kind: str


@dataclass(frozen=True, slots=True)
class Plan:
    seed: int
    partitions: int
    lateness: float
    major: int
    readers: tuple[str, ...]
    # Where the readers read: the topic, with the feed to fill its gaps, or the feed alone.
    source: str
    wishes: tuple[Wish, ...]
    faults: tuple[Fault, ...]

    def without(self, wishes: frozenset[int], faults: frozenset[int]) -> "Plan":
        return replace(
            self,
            wishes=tuple(wish for wish in self.wishes if wish.number not in wishes),
            faults=tuple(fault for fault in self.faults if fault.number not in faults),
        )


CLIENTS = 5
ACCOUNTS = 6


def plan(seed: int, favoured: Sequence[str] = (), readers: Sequence[str] = READERS) -> Plan:
    """Favoured faults come ten times as often, so that a bug which only they show is found sooner."""
    chance = random.Random(f"plan {seed}")
    wishes = tuple(_wish(chance, number) for number in range(chance.randint(50, 60)))
    weights = [weight * (10 if kind in favoured else 1) for kind, weight in FAULTS.items()]
    kinds = chance.choices(list(FAULTS), weights, k=chance.randint(10, 13))
    lasts = 5.0
    times = sorted(chance.uniform(0.3, lasts) for _ in kinds)
    return Plan(
        seed,
        partitions=chance.choice((1, 2, 3)),
        lateness=chance.choice((0.05, 0.1, 0.2)),
        major=chance.choice((15, 18)),
        readers=(chance.choice(readers),),
        source=chance.choice(("topic", "topic", "topic", "feed")),
        wishes=wishes,
        faults=tuple(Fault(n, at, kind) for n, (at, kind) in enumerate(zip(times, kinds, strict=True))),
    )


def _wish(chance: random.Random, number: int) -> Wish:
    kind = chance.choice(KINDS)
    if kind == "erase" and chance.random() < 0.5:
        kind = "add"
    account = chance.randrange(ACCOUNTS)
    if number < ACCOUNTS:
        kind, account = "open", number
    return Wish(
        number,
        client=number % CLIENTS,
        pause=chance.expovariate(1 / 0.3),
        kind=kind,
        account=account,
        other=(account + chance.randrange(1, ACCOUNTS)) % ACCOUNTS,
        by=chance.choice((1, 2, 3, 5, 8, 20, -4, -9)),
        again=chance.random() < 0.15,
    )
