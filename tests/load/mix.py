"""What a company's people and programs ask for, one request after the other: commands and reads, half of each."""

import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from kernel.domain.ids import new_id

STAGES = ("lead", "contact", "needs", "proposal", "close")
PIPELINE = "00000000-0000-4000-8000-0000000010ad"
# Of so many of the newest records the reads are.
REMEMBERED = 5000
COLLECTIONS: Mapping[str, str] = {
    "companies": "contacts",
    "contacts": "contacts",
    "opportunities": "opportunities",
    "orders": "opportunities",
    "complaints": "service-desk",
}
LISTS = (
    ("contacts", "/v1/companies?limit=20"),
    ("contacts", "/v1/contacts?limit=20"),
    ("opportunities", "/v1/opportunities?limit=20&status=open"),
    ("opportunities", "/v1/orders?limit=20"),
    ("service-desk", "/v1/complaints?limit=20"),
)
FUNNELS = ("cohort", "snapshot", "closed")


@dataclass(slots=True)
class Ask:
    """`facts`: how many must come of it. `then` is called once it is carried out."""

    kind: str
    service: str
    path: str
    body: Mapping[str, Any] | None = None
    status: int = 200
    facts: int = 1
    if_match: bool = False
    then: Callable[[], None] = lambda: None
    key: str = ""

    def request(self, token: str) -> bytes:
        head = f"Host: crm\r\nAuthorization: Bearer {token}\r\n"
        if self.body is None:
            return f"GET {self.path} HTTP/1.1\r\n{head}\r\n".encode()
        said = json.dumps(self.body, separators=(",", ":"))
        head += f"Content-Type: application/json\r\nContent-Length: {len(said)}\r\nIdempotency-Key: {self.key}\r\n"
        if self.if_match:
            head += "If-Match: *\r\n"
        return f"POST {self.path} HTTP/1.1\r\n{head}\r\n{said}".encode()


@dataclass
class Mix:
    """No record is asked to do two things at once; a record that a step needs and that is not there is made."""

    random: Random
    known: dict[str, deque[str]] = field(
        default_factory=lambda: {name: deque(maxlen=REMEMBERED) for name in COLLECTIONS}
    )
    _deals: deque[tuple[str, int]] = field(default_factory=deque)
    _ripe: deque[str] = field(default_factory=deque)
    _complaints: dict[str, deque[str]] = field(
        default_factory=lambda: {step: deque() for step in ("assign", "send-first-reply", "resolve")}
    )

    def __post_init__(self) -> None:
        weighted: list[tuple[int, Callable[[], Ask]]] = [
            (4, self._company),
            (10, self._contact),
            (4, self._deal),
            (10, self._stage),
            (4, self._close),
            (4, self._order),
            (4, self._complaint),
            (4, lambda: self._step("assign", {"owner_id": _id(), "owner_team": "desk"}, "send-first-reply")),
            (3, lambda: self._step("send-first-reply", {"text": "We look into it."}, "resolve")),
            (3, lambda: self._step("resolve", {"solution": "A new one was sent."}, None)),
            (25, self._record),
            (13, self._list),
            (7, self._funnel),
            (5, lambda: Ask("retention", "analytics", "/v1/retention")),
        ]
        self._weights = [weight for weight, _ in weighted]
        self._makers = [maker for _, maker in weighted]

    def next(self) -> Ask:
        return self.random.choices(self._makers, self._weights)[0]()

    @staticmethod
    def first() -> list[Ask]:
        """What must be there before anything else."""
        stages = [{"stage_id": name, "name": name.title()} for name in STAGES]
        body = {"id": PIPELINE, "name": "Direct", "stages": stages}
        return [Ask("pipelines.define", "opportunities", "/v1/pipelines", body, 201)]

    # Commands

    def _company(self) -> Ask:
        record = _id()
        name = f"Works {record[-8:]}"
        body = {"id": record, "name": name, "industry": "machinery", "country": "CN", "employees": 310}
        return self._creation("companies", "companies.register", record, body)

    def _contact(self) -> Ask:
        record = _id()
        body = {
            "id": record,
            "name": "Li Na",
            "email": f"{record}@huaxia.example",
            "phone": "+86 21 5550 1234",
            "company_id": self._some("companies"),
            "position": "head of purchasing",
            "owner_team": "east",
        }
        return self._creation("contacts", "contacts.register", record, body)

    def _deal(self) -> Ask:
        record = _id()
        body = {
            "id": record,
            "pipeline_id": PIPELINE,
            "title": "Twelve pumps",
            "customer_id": self._some("companies"),
            "source": self.random.choice(("fair", "referral", "web")),
            "amount": {"amount": f"{self.random.randrange(100, 90_000)}.00", "currency": "CNY"},
            "currency": "CNY",
        }
        ask = self._creation("opportunities", "opportunities.create", record, body, self._deals, (record, 0))
        # Begun, and in its first stage.
        ask.facts = 2
        return ask

    def _stage(self) -> Ask:
        if not self._deals:
            return self._deal()
        record, stage = self._deals.popleft()
        stage += 1

        def then() -> None:
            if stage == len(STAGES) - 1 or self.random.random() < 0.2:
                self._ripe.append(record)
            else:
                self._deals.append((record, stage))

        path = f"/v1/opportunities/{record}/enter-stage"
        return Ask("opportunities.enter-stage", "opportunities", path, {"stage_id": STAGES[stage]}, then=then)

    def _close(self) -> Ask:
        if not self._ripe:
            return self._stage()
        what, body = self.random.choice((("win", {}), ("lose", {"reason": "price", "note": "Too dear."})))
        path = f"/v1/opportunities/{self._ripe.popleft()}/{what}"
        return Ask(f"opportunities.{what}", "opportunities", path, body)

    def _order(self) -> Ask:
        record = _id()
        price = {"amount": f"{self.random.randrange(10, 900)}.00", "currency": "CNY"}
        lines = [{"product": "pump", "quantity": 2, "unit_price": price}]
        body = {"id": record, "customer_id": self._some("companies") or record, "lines": lines}
        return self._creation("orders", "orders.place", record, body)

    def _complaint(self) -> Ask:
        record = _id()
        body = {
            "id": record,
            "customer_id": self._some("companies") or record,
            "subject": "Broken bearing",
            "description": "Three of forty arrived cracked.",
            "channel": self.random.choice(("phone", "mail")),
        }
        fresh = self._complaints["assign"]
        return self._creation("complaints", "complaints.register", record, body, fresh, record)

    def _step(self, step: str, body: Mapping[str, Any], following: str | None) -> Ask:
        if not self._complaints[step]:
            return self._complaint()
        record = self._complaints[step].popleft()
        path = f"/v1/complaints/{record}/{step}"
        ask = Ask(f"complaints.{step}", "service-desk", path, body, if_match=step == "assign")
        if following:
            ask.then = lambda: self._complaints[following].append(record)
        return ask

    def _creation(
        self,
        collection: str,
        kind: str,
        record: str,
        body: Mapping[str, Any],
        queue: deque[Any] | None = None,
        place: object = None,
    ) -> Ask:
        def then() -> None:
            self.known[collection].append(record)
            if queue is not None:
                queue.append(place)

        return Ask(kind, COLLECTIONS[collection], f"/v1/{collection}", body, 201, then=then)

    # Reads

    def _record(self) -> Ask:
        collection = self.random.choice([name for name, known in self.known.items() if known] or [""])
        if not collection:
            return self._company()
        path = f"/v1/{collection}/{self._some(collection)}"
        return Ask("one record", COLLECTIONS[collection], path)

    def _list(self) -> Ask:
        return Ask("list page", *self.random.choice(LISTS))

    def _funnel(self) -> Ask:
        view = self.random.choice(FUNNELS)
        return Ask("funnel", "analytics", f"/v1/funnel?view={view}&pipeline_id={PIPELINE}")

    def _some(self, collection: str) -> str | None:
        known = self.known[collection]
        return known[self.random.randrange(len(known))] if known else None


def _id() -> str:
    return str(new_id())
