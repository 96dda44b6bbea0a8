"""What the generated company starts from: its people, its year, and chance that falls the same way every time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from crm.people import Person
from crm.sending import Item
from kernel.domain.ids import named_id

ZONE = ZoneInfo("Asia/Shanghai")
CURRENCY = "CNY"
DAYS = 365


@dataclass(frozen=True, slots=True)
class Year:
    """The year that ends at `until`; what would happen later has not happened."""

    until: datetime

    def at(self, day: float, chance: Random) -> datetime:
        """Some time in the office hours of a day of the year, counted from its first."""
        midnight = (self.until.astimezone(ZONE) - timedelta(days=DAYS)).replace(
            hour=0, minute=0, second=0, microsecond=0
        )
        return midnight + timedelta(days=int(day), hours=9, minutes=chance.randrange(0, 540))

    def has(self, moment: datetime) -> bool:
        return moment <= self.until


def identity(kind: str, number: int) -> str:
    return str(named_id("demo", kind, str(number)))


def owner(person: Person) -> dict[str, Any]:
    return {"owner_id": str(person.subject), "owner_team": person.teams[0]}


def money(yuan: float) -> dict[str, str]:
    return {"amount": f"{yuan:.2f}", "currency": CURRENCY}


class Story:
    """The commands of one record, in their order; what lies after the year's end is left out."""

    def __init__(self, year: Year, kind: str, number: int) -> None:
        self.id = identity(kind, number)
        self.items: list[Item] = []
        self.ended = False
        self._year = year
        self._name = f"demo-{kind}-{number}"

    def tell(
        self, at: datetime, command: str, data: dict[str, Any] | None = None, *, if_match: str | None = None
    ) -> bool:
        """Whether it has happened."""
        self.ended = self.ended or not self._year.has(at)
        if not self.ended:
            self.items.append(
                Item(
                    key=f"{self._name}-{len(self.items)}",
                    command=command,
                    id=self.id,
                    data=data or {},
                    occurred_at=at.isoformat(),
                    if_match=if_match,
                )
            )
        return not self.ended

    @property
    def begins(self) -> str:
        return (self.items[0].occurred_at or "") if self.items else ""


def in_order(stories: Sequence[Story]) -> list[list[Item]]:
    """By the day they begin; a record's own commands stay together."""
    told = (story for story in stories if story.items)
    return [story.items for story in sorted(told, key=lambda story: story.begins)]
