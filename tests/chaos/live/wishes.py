"""What clients ask for: a command, what must come of it, and how the record stands afterwards."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID

# How a single command is sent; each path's {id} is the record.
ROUTES: Mapping[str, tuple[str, str]] = {
    "companies.register": ("POST", "/v1/companies"),
    "companies.correct": ("PUT", "/v1/companies/{id}"),
    "companies.set-owner": ("POST", "/v1/companies/{id}/owner"),
    "contacts.register": ("POST", "/v1/contacts"),
    "contacts.correct": ("PUT", "/v1/contacts/{id}"),
    "contacts.link": ("POST", "/v1/contacts/{id}/link"),
    "contacts.set-owner": ("POST", "/v1/contacts/{id}/owner"),
    "contacts.erase": ("POST", "/v1/contacts/{id}/erase"),
    "pipelines.define": ("POST", "/v1/pipelines"),
    "opportunities.create": ("POST", "/v1/opportunities"),
    "opportunities.enter-stage": ("POST", "/v1/opportunities/{id}/enter-stage"),
    "opportunities.void-stage-entry": ("POST", "/v1/opportunities/{id}/void-stage-entry"),
    "opportunities.change-amount": ("PUT", "/v1/opportunities/{id}/amount"),
    "opportunities.reassign": ("PUT", "/v1/opportunities/{id}/owner"),
    "opportunities.win": ("POST", "/v1/opportunities/{id}/win"),
    "opportunities.lose": ("POST", "/v1/opportunities/{id}/lose"),
    "opportunities.reopen": ("POST", "/v1/opportunities/{id}/reopen"),
    "orders.place": ("POST", "/v1/orders"),
    "orders.cancel": ("POST", "/v1/orders/{id}/cancel"),
    "complaints.register": ("POST", "/v1/complaints"),
    "complaints.assign": ("POST", "/v1/complaints/{id}/assign"),
    "complaints.escalate": ("POST", "/v1/complaints/{id}/escalate"),
    "complaints.send-first-reply": ("POST", "/v1/complaints/{id}/send-first-reply"),
    "complaints.resolve": ("POST", "/v1/complaints/{id}/resolve"),
    "complaints.confirm": ("POST", "/v1/complaints/{id}/confirm"),
    "complaints.reopen": ("POST", "/v1/complaints/{id}/reopen"),
    "complaints.close": ("POST", "/v1/complaints/{id}/close"),
}


@dataclass(slots=True)
class Wish:
    """`refused`: the code of the refusal that must come. `perhaps`: one that may come instead of the success."""

    command: str
    record: "Record"
    data: dict[str, Any]
    facts: int = 1
    if_match: str | None = None
    occurred_at: str | None = None
    refused: str | None = None
    perhaps: str | None = None
    then: Callable[[], None] = lambda: None
    key: str = ""
    sent_at: float = 0.0

    @property
    def id(self) -> str:
        return str(self.record.id)

    def item(self) -> dict[str, Any]:
        """As a batch has it."""
        said = {"idempotency_key": self.key, "command": self.command, "id": self.id, "data": self.data}
        optional = {"if_match": self.if_match, "occurred_at": self.occurred_at}
        return said | {name: value for name, value in optional.items() if value}


@dataclass(slots=True)
class Record:
    """One record of one client; `state` is what its next wish depends on."""

    id: UUID
    random: Random
    version: int = 0
    finished: bool = False
    state: dict[str, Any] = field(default_factory=dict)

    @property
    def here(self) -> str:
        return f'"v{self.version}"'

    def wish(self) -> Wish:
        raise NotImplementedError

    def settled(self, wish: Wish, version: int) -> None:
        """The command was acknowledged."""
        self.version = version
        wish.then()


class Persons:
    """Who may be named in other services. Nobody is named any more once their erasure was asked for."""

    def __init__(self) -> None:
        self._known: dict[UUID, str] = {}

    def add(self, person: UUID, word: str) -> None:
        self._known[person] = word

    def retire(self, person: UUID) -> None:
        self._known.pop(person, None)

    def clear(self) -> None:
        self._known.clear()

    def some(self, random: Random) -> tuple[UUID | None, str]:
        """A person and a word that is theirs alone; or nobody."""
        if not self._known or random.random() < 0.5:
            return None, "nobody"
        # Any of the newest ones: the list is in the order of their registration.
        number = random.randrange(min(len(self._known), MOST_NAMED))
        person = next(key for place, key in enumerate(reversed(self._known)) if place == number)
        return person, self._known[person]

    def knows(self, person: UUID | None) -> bool:
        return person is None or person in self._known


# Of so many of the newest persons the other services speak.
MOST_NAMED = 40


def new_id(random: Random) -> UUID:
    return UUID(int=random.getrandbits(128), version=4)
