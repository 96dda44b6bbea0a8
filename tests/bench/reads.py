"""Reading one record and a page of a list, against an echo of the same answer in the same run."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
from kernel.runtime.guarded import Guarded

from tests.bench import filling, load
from tests.bench.figures import Figure
from tests.bench.setting import Setting
from tests.bench.sides import Side, echo, take_turns

NAME = "reads"
MODULE = "contacts.company.api"
COMPANIES, COMPANIES_OF_A_SHORT_RUN = 5000, 1000
DIFFERENT = 500


def run(given: Setting) -> Iterator[Figure]:
    with given.service("contacts", CRM_ROLE="api") as (url, process):
        count = COMPANIES_OF_A_SHORT_RUN if given.short else COMPANIES
        given.tell(f"{count:,} companies, through the batch endpoint")
        ids = asyncio.run(filling.companies(given, url, count))
        given.server.execute("ANALYZE", "crm_contacts")
        records = [f"/v1/companies/{id}" for id in ids[:: max(1, count // DIFFERENT)]]
        yield from _compared(given, url, process, "read", "companies.read", records)
        yield from _compared(given, url, process, "list", "companies.list", ["/v1/companies"])


def _compared(
    given: Setting, url: str, process: Guarded, name: str, operation: str, paths: list[str]
) -> Iterator[Figure]:
    headers = given.bearer()
    answer = Path(given.local.folder) / f"{name}.json"
    answer.write_bytes(httpx.get(url + paths[0], headers=headers).raise_for_status().content)
    with echo(given, "tests.bench.echo_reads", MODULE, operation, str(answer)) as (other, other_process):
        bare = Side(load.reads(other, ["/"], {}), other_process)
        full = Side(load.reads(url, paths, headers), process)
        take_turns(given, name, [bare, full])
    yield Figure(NAME, f"{name}: size of the answer", answer.stat().st_size, "bytes")
    yield Figure(NAME, f"{name}: echo", bare.rate, "/s")
    yield Figure(NAME, name, full.rate, "/s")
    yield Figure(NAME, f"{name}: p99 of {load.CONNECTIONS} clients", full.p99, "ms")
    yield Figure(NAME, f"{name}: processor time, echo", bare.cost, "µs")
    yield Figure(NAME, f"{name}: processor time", full.cost, "µs")
    yield Figure(NAME, f"{name} ÷ echo", full.rate / bare.rate, at_least=0.5)
