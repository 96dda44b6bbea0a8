"""Companies and contacts: registered, corrected, linked, given owners; some persons are erased."""

from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import UUID

from tests.chaos.live.wishes import Persons, Record, Wish, new_id

# Begins every word that is planted in a personal field; what follows is one person's alone.
CANARY = "quillfeather"
# How often something is asked for that must be refused, and that changes nothing.
REFUSED, IDLE = 0.06, 0.03
ERASED = 0.12


def canary(person: UUID) -> str:
    return f"{CANARY}{person.hex[:16]}"


@dataclass(slots=True)
class Company(Record):
    def wish(self) -> Wish:
        name = f"Works {self.random.getrandbits(32):08x}"
        if not self.version:
            return Wish("companies.register", self, {"id": str(self.id), "name": name, "country": "CN"})
        if self.random.random() < REFUSED:
            return Wish("companies.correct", self, {"name": name}, if_match='"v977"', refused="STALE")
        if self.random.random() < 0.4:
            owner = {"owner_id": str(new_id(self.random)), "owner_team": "east"}
            return Wish("companies.set-owner", self, owner, if_match=self.here)
        return Wish("companies.correct", self, {"name": name, "country": "CN"}, if_match=self.here)


@dataclass(slots=True)
class Contact(Record):
    persons: Persons | None = None
    companies: tuple[UUID, ...] = ()

    def wish(self) -> Wish:
        if not self.version:
            return self._registration()
        chance = self.random.random()
        if chance < REFUSED:
            return self._registration(refused="CONTACT_EXISTS")
        if chance < REFUSED + IDLE:
            return Wish("contacts.link", self, {"company_id": self.state["company"]}, facts=0)
        if chance < REFUSED + IDLE + ERASED:
            return self._erasure()
        if chance < 0.6:
            return Wish("contacts.correct", self, self._profile() | {"source": "fair"}, if_match=self.here)
        if chance < 0.8:
            company = str(new_id(self.random))
            return Wish(
                "contacts.link",
                self,
                {"company_id": company},
                then=lambda: self.state.update(company=company),
            )
        owner = {"owner_id": str(new_id(self.random)), "owner_team": "east"}
        return Wish("contacts.set-owner", self, owner, if_match=self.here)

    def _registration(self, refused: str | None = None) -> Wish:
        company = str(self.random.choice(self.companies)) if self.companies else None
        said = {"id": str(self.id), "company_id": company, **self._profile()}

        def then() -> None:
            self.state["company"] = company
            if self.persons:
                self.persons.add(self.id, canary(self.id))

        return Wish("contacts.register", self, said, refused=refused, then=then)

    def _profile(self) -> dict[str, Any]:
        word = canary(self.id)
        turn = f"{self.random.getrandbits(24):06x}"
        return {
            "name": f"{word} Xu",
            "email": f"{word}@example.org",
            "phone": "+86 21 5550 1234",
            "address": f"{word} Road 7",
            "note": f"{word} calls at {turn}.",
        }

    def _erasure(self) -> Wish:
        if self.persons:
            self.persons.retire(self.id)

        def then() -> None:
            self.finished = True

        return Wish("contacts.erase", self, {"reason": "requested"}, then=then)


def new(random: Random, persons: Persons, known: list[Record]) -> Record:
    if random.random() < 0.3:
        return Company(new_id(random), random)
    companies = tuple(record.id for record in known if isinstance(record, Company) and record.version)
    return Contact(new_id(random), random, persons=persons, companies=companies)
