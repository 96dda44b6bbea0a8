"""A durable command over HTTP with everything on, against an echo of the same body in the same run.

The API is measured alone, as it is deployed: the worker is a process of its own.
"""

from collections.abc import Iterator
from typing import Any

from tests.bench import load
from tests.bench.figures import Figure
from tests.bench.setting import Setting
from tests.bench.sides import Side, echo, take_turns

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


def run(given: Setting) -> Iterator[Figure]:
    with given.service("contacts", CRM_ROLE="api") as (url, process):
        for name, path, module, model, body in CASES:
            with echo(given, "tests.bench.echo", module, model) as (other, other_process):
                bare = Side(load.one_each(f"{other}/", body, {}), other_process)
                full = Side(load.one_each(url + path, body, given.bearer()), process)
                take_turns(given, name, [bare, full])
            yield from _figures(name, bare, full)


def _figures(name: str, bare: Side, full: Side) -> Iterator[Figure]:
    yield Figure(NAME, f"{name}: echo", bare.rate, "/s")
    yield Figure(NAME, f"{name}: command", full.rate, "/s")
    yield Figure(NAME, f"{name}: p99 of {load.CONNECTIONS} clients", full.p99, "ms")
    yield Figure(NAME, f"{name}: processor time, echo", bare.cost, "µs")
    yield Figure(NAME, f"{name}: processor time, command", full.cost, "µs")
    yield Figure(NAME, f"{name}: command ÷ echo", full.rate / bare.rate, at_least=0.35)
