"""Histories and the ways in which they may be heard; times and zones at which days and months are decided."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Generic, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

Fact = TypeVar("Fact")
History = list[tuple[Fact, datetime]]

PIPELINES = [UUID(int=0xA0), UUID(int=0xA1)]
OWNERS = [UUID(int=0xB0), UUID(int=0xB1), None]
SOURCES = ["fair", "referral", None]
CURRENCIES = ["CNY", "JPY"]
STAGES = [f"stage-{place}" for place in range(5)]

# Clock changes in both halves of the year and of half an hour, a zone of +05:45, the far ends of the day.
ZONES = [
    ZoneInfo(key)
    for key in "UTC Europe/Berlin America/New_York Asia/Kathmandu Asia/Shanghai Australia/Lord_Howe "
    "Pacific/Kiritimati".split()
]

# Month ends, a leap day, both changes of the clock, and equal times: what days and months are decided by.
TIMES = [
    datetime.fromisoformat(text).replace(tzinfo=UTC)
    for text in (
        "2023-12-31T15:59:59.999999 2023-12-31T16:00 2023-12-31T18:14:59 2023-12-31T18:15 2024-01-31T23:30 "
        "2024-02-29T05:00 2024-02-29T23:59:59.999999 2024-03-01T00:00 2024-03-10T06:59:59 2024-03-10T07:00 "
        "2024-03-31T00:59:59 2024-03-31T01:00 2024-03-31T21:59 2024-03-31T22:00 2024-04-06T15:00 "
        "2024-10-27T00:30 2024-10-27T01:30 2024-11-03T05:30"
    ).split()
]

zones = st.sampled_from(ZONES)
times = st.sampled_from(TIMES)
choices = st.integers(0, 11)


@dataclass(frozen=True, slots=True)
class Heard(Generic[Fact]):
    fact: Fact
    event_id: UUID
    occurred_at: datetime
    recorded_at: datetime
    position: int


def heard(history: Iterable[tuple[Fact, datetime]]) -> list[Heard[Fact]]:
    recorded_at = TIMES[-1] + timedelta(days=1)
    return [Heard(fact, UUID(int=n), at, recorded_at, n) for n, (fact, at) in enumerate(history, start=1)]


def interleaved(histories: Iterable[History[Fact]], random: Random) -> list[Heard[Fact]]:
    """All the facts in some order in which each history keeps its own."""
    waiting = [list(history) for history in histories if history]
    order = []
    while waiting:
        history = random.choice(waiting)
        order.append(history.pop(0))
        if not history:
            waiting.remove(history)
    return heard(order)


def batches(records: Sequence[Heard[Fact]], random: Random) -> list[Sequence[Heard[Fact]]]:
    cuts = sorted(random.randrange(len(records) + 1) for _ in range(random.randrange(6)))
    return [records[start:end] for start, end in zip([0, *cuts], [*cuts, len(records)], strict=True)]
