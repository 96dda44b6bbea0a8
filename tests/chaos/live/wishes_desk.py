"""Complaints from the first word to the end, resolved, reopened, closed; some so late that a timer speaks of them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from tests.chaos.live.wishes import Persons, Record, Wish, new_id

REFUSED, IDLE, LATE, FINISHED = 0.06, 0.03, 0.06, 0.4
# Longer ago than any reply policy allows.
LONG_AGO = timedelta(days=40)


@dataclass(slots=True)
class Complaint(Record):
    """`state`: status, whether it was replied to and escalated, the person."""

    persons: Persons | None = None

    def wish(self) -> Wish:
        if not self.version:
            return self._registration()
        status = self.state["status"]
        if self.random.random() < REFUSED:
            return self._to_be_refused(status)
        if self.random.random() < IDLE and status == "resolved":
            return self._ask("resolve", {"solution": None}, facts=0)
        if status == "open":
            return self._open_step()
        if status == "resolved":
            return self._ask(*self.random.choice([("confirm", {}), ("close", {}), self._reopening()]))
        if status == "confirmed":
            return self._ask("close", {})
        return self._ask(*self._reopening())

    def _registration(self) -> Wish:
        person, word = self.persons.some(self.random) if self.persons else (None, "nobody")
        late = self.random.random() < LATE
        said = {
            "customer_id": str(new_id(self.random)),
            "person_id": str(person) if person else None,
            "subject": f"{word} is angry",
            "description": f"It broke, says {word}.",
            "channel": self.random.choice(("phone", "mail")),
        }

        def then() -> None:
            self.state.update(status="open", replied=False, escalated=False, person=person)
            # What a timer adds, and when, nobody knows beforehand.
            self.finished = late

        at = (datetime.now(UTC) - LONG_AGO).isoformat() if late else None
        return Wish(
            "complaints.register",
            self,
            said | {"id": str(self.id)},
            occurred_at=at,
            perhaps="PERSON_ERASED",
            then=then,
        )

    def _open_step(self) -> Wish:
        chance = self.random.random()
        if chance < 0.3:
            owner = {"owner_id": str(new_id(self.random)), "owner_team": "care"}
            return self._ask("assign", owner, if_match="*")
        if chance < 0.45 and not self.state["escalated"]:
            return self._ask("escalate", {"reason": "third-time"})
        if chance < 0.7 and not self.state["replied"]:
            return self._ask("send-first-reply", {"text": self._words()})
        return self._ask("resolve", {"solution": self._words()})

    def _reopening(self) -> tuple[str, dict[str, Any]]:
        return "reopen", {"reason": self._words()}

    def _words(self) -> str | None:
        return "Looked into." if self.persons and self.persons.knows(self.state["person"]) else None

    def _to_be_refused(self, status: str) -> Wish:
        if status == "open":
            return self._ask("confirm", {}, refused="COMPLAINT_NOT_RESOLVED")
        return self._ask(
            "assign",
            {"owner_id": str(new_id(self.random)), "owner_team": None},
            if_match="*",
            refused="COMPLAINT_NOT_OPEN",
        )

    def _ask(self, what: str, data: dict[str, Any], **said: Any) -> Wish:
        def then() -> None:
            match what:
                case "escalate":
                    self.state["escalated"] = True
                case "send-first-reply":
                    self.state["replied"] = True
                case "resolve":
                    self.state["status"] = "resolved"
                case "confirm":
                    self.state["status"] = "confirmed"
                case "reopen":
                    self.state.update(status="open", escalated=False)
                case "close":
                    self.state["status"] = "closed"
                    self.finished = self.random.random() < FINISHED

        perhaps = "PERSON_ERASED" if any(data.values()) else None
        return Wish(f"complaints.{what}", self, data, then=then, perhaps=perhaps, **said)


def new(random: Random, persons: Persons, _: list[Record]) -> Record:
    return Complaint(new_id(random), random, persons=persons)
