"""What is done to one record: commands, each with the facts that must come of it, and nothing else."""

from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any
from uuid import UUID

from crm.sending import Item

CURRENCIES = {"CNY": 2, "JPY": 0}


@dataclass(frozen=True, slots=True)
class Told:
    """A command and its facts; `record` is whose history they belong to."""

    service: str
    record: UUID
    item: Item
    facts: tuple[tuple[object, datetime], ...]


class Record:
    """Tells the commands of one record in their order; the version rises with the facts."""

    def __init__(self, service: str, random: Random) -> None:
        self.service = service
        self.random = random
        self.id = UUID(int=random.getrandbits(128), version=4)
        self.told: list[Told] = []
        self.version = 0

    def tell(
        self, command: str, at: datetime, *facts: object, if_match: str | None = None, **data: Any
    ) -> None:
        item = Item(
            key=f"{self.id}-{len(self.told)}-{command}",
            command=command,
            id=str(self.id),
            data=data,
            occurred_at=at.isoformat(),
            if_match=if_match,
        )
        self.told.append(Told(self.service, self.id, item, tuple((fact, at) for fact in facts)))
        self.version += len(facts)

    @property
    def here(self) -> str:
        return f'"v{self.version}"'


def money(minor: int, currency: str) -> dict[str, str]:
    digits = CURRENCIES[currency]
    whole, part = divmod(minor, 10**digits)
    return {"amount": f"{whole}.{part:0{digits}}" if digits else str(whole), "currency": currency}
