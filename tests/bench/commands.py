"""A durable command over HTTP with everything on, against an echo of the same body in the same run.

The API is measured alone, as it is deployed: the worker is a process of its own.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from os import environ
from statistics import median
from typing import Any

from kernel.runtime.guarded import Guarded

from tests.bench import load
from tests.bench.figures import Figure
from tests.bench.setting import Setting, address, await_ready, processor_seconds, running

NAME = "commands"
PERSON = {
    "name": "Li Na",
    "email": "KEY@huaxia.example",
    "phone": "+86 21 5550 1234",
    "address": "88 Century Avenue, Shanghai",
    "note": "Prefers mornings.",
    "position": "head of purchasing",
    "source": "referral",
    "owner_team": "east",
}
COMPANY = {
    "name": "Changan Machinery",
    "industry": "machinery",
    "country": "CN",
    "employees": 310,
    "annual_revenue": {"amount": "12500000.00", "currency": "CNY"},
    "source": "fair",
    "owner_team": "east",
}
CASES: list[tuple[str, str, str, str, dict[str, Any]]] = [
    ("contacts.register", "/v1/contacts", "contacts.contact.api", "ContactRegistration", PERSON),
    ("companies.register", "/v1/companies", "contacts.company.api", "Registration", COMPANY),
]


@dataclass
class Side:
    """One of the two that take turns: its process, and how the rounds went."""

    url: str
    body: dict[str, Any]
    headers: dict[str, str]
    process: Guarded
    rates: list[load.Rate] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)

    def turn(self, seconds: float) -> None:
        before = processor_seconds(self.process)
        self.rates.append(load.commands(self.url, self.body, self.headers, seconds))
        used = processor_seconds(self.process) - before
        self.costs.append(used * 1e6 / self.rates[-1].requests)

    @property
    def rate(self) -> float:
        return median(rate.per_second for rate in self.rates)


def run(given: Setting) -> Iterator[Figure]:
    with given.service("contacts", CRM_ROLE="api") as (url, process):
        for name, path, module, model, body in CASES:
            with echo(given, module, model) as (other, other_process):
                bare = Side(other, body, {}, other_process)
                full = Side(url + path, body, given.bearer(), process)
                for side in (bare, full):
                    load.commands(side.url, body, side.headers, 1)
                for turn in range(given.rounds):
                    given.tell(f"{name}: round {turn + 1} of {given.rounds}")
                    bare.turn(given.seconds)
                    full.turn(given.seconds)
            yield from _figures(name, bare, full)


def _figures(name: str, bare: Side, full: Side) -> Iterator[Figure]:
    yield Figure(NAME, f"{name}: echo", bare.rate, "/s")
    yield Figure(NAME, f"{name}: command", full.rate, "/s")
    yield Figure(NAME, f"{name}: p99 of {load.CONNECTIONS} clients", median(r.p99 for r in full.rates), "ms")
    yield Figure(NAME, f"{name}: processor time, echo", median(bare.costs), "µs")
    yield Figure(NAME, f"{name}: processor time, command", median(full.costs), "µs")
    yield Figure(NAME, f"{name}: command ÷ echo", full.rate / bare.rate, at_least=0.35)


@contextmanager
def echo(given: Setting, module: str, model: str) -> Iterator[tuple[str, Guarded]]:
    url = address()
    command = [sys.executable, "-m", "tests.bench.echo", module, model, url.rpartition(":")[2]]
    with running(command, given.local.logs / "echo.log", dict(environ)) as process:
        await_ready(url, process)
        yield url + "/", process
