"""Deals through their stages, won, lost and reopened; orders placed and cancelled."""

from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import UUID

from tests.chaos.live.wishes import Persons, Record, Wish, new_id

STAGES = ("lead", "talk", "offer", "signed")
PIPELINE = UUID("00000000-0000-4000-8000-00000000c4a0")
CURRENCIES = ("CNY", "EUR")
REFUSED, IDLE, FINISHED = 0.06, 0.03, 0.15


def pipeline_definition() -> dict[str, Any]:
    stages = [{"stage_id": name, "name": name.title()} for name in STAGES]
    return {"id": str(PIPELINE), "name": "Direct", "stages": stages}


def money(random: Random, currency: str) -> dict[str, str]:
    return {"amount": f"{random.randrange(1, 90_000)}.{random.randrange(100):02}", "currency": currency}


@dataclass(slots=True)
class Pipeline(Record):
    def wish(self) -> Wish:
        return Wish("pipelines.define", self, pipeline_definition())


@dataclass(slots=True)
class Deal(Record):
    """`state`: stage, the entries that count, status, currency, whether there is an amount, person."""

    persons: Persons | None = None

    def wish(self) -> Wish:
        if not self.version:
            return self._creation()
        if self.random.random() < REFUSED:
            return self._to_be_refused()
        if self.random.random() < IDLE:
            return self._ask("enter-stage", {"stage_id": self.state["stage"]}, facts=0)
        if self.state["status"] != "open":
            return self._ask("reopen", {}, status="open")
        return self._step()

    def _creation(self) -> Wish:
        person, word = self.persons.some(self.random) if self.persons else (None, "nobody")
        currency = self.random.choice(CURRENCIES)
        said = {
            "id": str(self.id),
            "pipeline_id": str(PIPELINE),
            "title": f"Pumps for {word}",
            "currency": currency,
            "amount": money(self.random, currency),
            "person_id": str(person) if person else None,
        }
        begun = {
            "stage": STAGES[0],
            "entries": [(1, STAGES[0])],
            "last": 1,
            "status": "open",
            "currency": currency,
        }
        return Wish(
            "opportunities.create",
            self,
            said,
            facts=2,
            perhaps="PERSON_ERASED",
            then=lambda: self.state.update(begun, person=person),
        )

    def _step(self) -> Wish:
        chance = self.random.random()
        if chance < 0.4:
            return self._entry(self.random.choice([s for s in STAGES if s != self.state["stage"]]))
        if chance < 0.5 and len(self.state["entries"]) > 1:
            return self._voiding()
        if chance < 0.65:
            amount = money(self.random, self.state["currency"])
            return self._ask("change-amount", {"amount": amount}, if_match=self.here)
        if chance < 0.75:
            owner = {"owner_id": str(new_id(self.random)), "owner_team": "north"}
            return self._ask("reassign", owner, if_match=self.here)
        if chance < 0.88:
            return self._ask("win", {}, status="won")
        if self.persons and not self.persons.knows(self.state["person"]):
            return self._ask("lose", {"reason": "price"}, status="lost")
        return self._ask(
            "lose", {"reason": "price", "note": "Too dear."}, status="lost", perhaps="PERSON_ERASED"
        )

    def _entry(self, stage: str) -> Wish:
        number = self.state["last"] + 1

        def then() -> None:
            entries = [*self.state["entries"], (number, stage)]
            self.state.update(last=number, entries=entries, stage=stage)

        wish = self._ask("enter-stage", {"stage_id": stage})
        wish.then = then
        return wish

    def _voiding(self) -> Wish:
        number = self.random.choice(self.state["entries"])[0]

        def then() -> None:
            left = [entry for entry in self.state["entries"] if entry[0] != number]
            self.state.update(entries=left, stage=left[-1][1])

        wish = self._ask("void-stage-entry", {"entry": number})
        wish.then = then
        return wish

    def _to_be_refused(self) -> Wish:
        if self.state["status"] == "open":
            wrong = {"amount": "1.00", "currency": "USD"}
            return self._ask("win", {"amount": wrong}, refused="CURRENCY_MISMATCH")
        amount = money(self.random, self.state["currency"])
        return self._ask("change-amount", {"amount": amount}, if_match="*", refused="OPPORTUNITY_CLOSED")

    def _ask(self, what: str, data: dict[str, Any], status: str | None = None, **said: Any) -> Wish:
        def then() -> None:
            if status:
                self.state["status"] = status
                self.finished = status != "open" and self.random.random() < FINISHED

        return Wish(f"opportunities.{what}", self, data, then=then, **said)


@dataclass(slots=True)
class Order(Record):
    def wish(self) -> Wish:
        if self.version:
            return Wish("orders.cancel", self, {"reason": "changed-mind"}, then=self._finish)
        currency = self.random.choice(CURRENCIES)
        lines = [{"product": "pump", "quantity": 1, "unit_price": money(self.random, currency)}]
        said = {"id": str(self.id), "customer_id": str(new_id(self.random)), "lines": lines}
        finish = self.random.random() < 0.7
        return Wish("orders.place", self, said, then=self._finish if finish else lambda: None)

    def _finish(self) -> None:
        self.finished = True


def new(random: Random, persons: Persons, _: list[Record]) -> Record:
    return (
        Order(new_id(random), random)
        if random.random() < 0.5
        else Deal(new_id(random), random, persons=persons)
    )
