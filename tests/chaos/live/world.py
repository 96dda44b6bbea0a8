"""One run's world: the fleet, its clients, the ledger, the tape; what faults act upon and checks look at."""

import asyncio
import time
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import httpx
from kernel.messaging.service import topic_of

from tests.chaos.live import wishes_contacts, wishes_desk, wishes_sales
from tests.chaos.live.checks_log import LogChecks
from tests.chaos.live.checks_topic import TopicChecks
from tests.chaos.live.clients import Client, New
from tests.chaos.live.ending import end
from tests.chaos.live.fleet import PARTITIONS, WRITING, Fleet
from tests.chaos.live.ledger import Findings, Ledger
from tests.chaos.live.tape import Tape
from tests.chaos.live.wishes import Persons, Record, new_id

NEW: dict[str, New] = {
    "contacts": wishes_contacts.new,
    "opportunities": wishes_sales.new,
    "service-desk": wishes_desk.new,
}
# Which APIs clients talk to, and how many talk to each.
CLIENTS = (
    ("contacts", "contacts-api"),
    ("contacts", "contacts-api"),
    ("opportunities", "opportunities-api"),
    ("opportunities", "opportunities-api-2"),
    ("service-desk", "service-desk-api"),
    ("service-desk", "service-desk-api"),
)
# After so long without a recovery something does not come back by itself.
MOST_PATIENCE = 90.0
_PROBE_PAUSE = 0.05


class World:
    def __init__(self, fleet: Fleet, seed: int, rate: float) -> None:
        """`rate`: commands a second, of all clients together; 0 knows no limit."""
        self.fleet = fleet
        # Not the numbers that the run draws its faults from: two records would have one id.
        self.random = Random(f"{seed} of the world")
        self.ledger = Ledger()
        self.findings = Findings()
        self.persons = Persons()
        self.tape = Tape(
            lambda: fleet.kafka.bootstrap, {name: topic_of(name) for name in WRITING}, self.findings
        )
        self.logs = LogChecks(fleet, self.ledger, self.findings)
        self.topics = TopicChecks(fleet, self.tape, self.findings)
        self.token: str = fleet.system.token
        self.clients: dict[str, list[Client]] = {name: [] for name in WRITING}
        self.http = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {self.token}"}, timeout=15, trust_env=False
        )
        self._lives: dict[str, list[asyncio.Task[None]]] = {name: [] for name in WRITING}
        self._rate = rate / len(CLIENTS)
        self._lifetimes = 0
        self._probes = 0
        # Held by whoever restores a service: nobody looks at its log meanwhile.
        self.steady = {name: asyncio.Lock() for name in WRITING}
        # Processes that stand still while others must go on.
        # When each service's backup was begun, and when it was whole.
        self.backed_up: dict[str, tuple[float, float]] = {}
        self.on_restore: list[Callable[[str], None]] = []
        self.thawing: list[asyncio.Task[None]] = []
        self._reading: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        for name in WRITING:
            await asyncio.to_thread(self.logs.watch, name)
        self._reading = asyncio.create_task(self.tape.run(PARTITIONS))
        prober = self.client("opportunities")
        await prober.carry_out([wishes_sales.Pipeline(wishes_sales.PIPELINE, self.random).wish()])
        await prober.close()
        for name in WRITING:
            self.start_clients(name)

    async def end_clients(self) -> None:
        for name in WRITING:
            await self.stop_clients(name)

    async def end(self) -> None:
        await self.end_clients()
        if self._reading:
            await end(self._reading)
        await self.http.aclose()

    def client(self, service: str, api: str = "", rate: float = 0) -> Client:
        """Whoever makes one closes it."""
        self._lifetimes += 1
        name = f"chaos-{self._lifetimes:04}"
        return Client(
            name,
            service,
            self.fleet.url(api or f"{service}-api"),
            self.token,
            self.ledger,
            self.findings,
            rate,
        )

    def start_clients(self, service: str) -> None:
        for whose, api in CLIENTS:
            if whose == service:
                client = self.client(service, api, self._rate)
                self.clients[service].append(client)
                random = Random(self.random.getrandbits(64))
                life = asyncio.create_task(client.run(NEW[service], random, self.persons))
                self._lives[service].append(life)

    async def stop_clients(self, service: str) -> None:
        """In the middle of whatever they do; what was under way is uncertain."""
        for error in await end(*self._lives[service]):
            self.findings.add("the harness itself works", repr(error))
        for client in self.clients[service]:
            client.forget()
            await client.close()
        self._lives[service] = []
        self.clients[service] = []

    def failed_clients(self) -> None:
        for lives in self._lives.values():
            for life in lives:
                if life.done() and not life.cancelled() and (error := life.exception()):
                    self.findings.add("the harness itself works", f"a client ended: {error!r}")

    # Recovery

    async def recovered(self, services: Sequence[str], since: float, api: str = "") -> float:
        """Seconds from `since` until each service has taken a command and analytics' answers include it."""
        answers = await asyncio.gather(*(self._probe(name, api) for name in services))
        return max(answers) - since

    async def _probe(self, service: str, api: str) -> float:
        self._probes += 1
        random = Random(self._probes)
        record: Record = {
            "contacts": wishes_contacts.Company,
            "opportunities": wishes_sales.Order,
            "service-desk": wishes_desk.Complaint,
        }[service](new_id(self.random), random)
        client = self.client(service, api)
        try:
            async with asyncio.timeout(MOST_PATIENCE):
                (answer,) = await client.carry_out([record.wish()], single=True)
                while not await self._is_visible(answer.token):  # noqa: ASYNC110
                    await asyncio.sleep(_PROBE_PAUSE)
        except TimeoutError:
            self.findings.add(
                "whatever fails comes back by itself", f"{service} within {MOST_PATIENCE:.0f} s"
            )
        finally:
            await client.close()
        return time.monotonic()

    async def _is_visible(self, token: str) -> bool:
        headers = {"Consistency-Token": token, "Prefer": "wait=2, handling=strict"}
        return await self.ask("/v1/freshness", headers=headers) is not None

    async def ask(self, path: str, headers: dict[str, str] | None = None, **query: Any) -> Any:
        """Analytics' answer, or None where there is none now."""
        try:
            url = f"{self.fleet.url('analytics-api')}{path}"
            answer = await self.http.get(url, params=query, headers=headers)
        except httpx.TransportError:
            return None
        return answer.json() if answer.is_success else None
