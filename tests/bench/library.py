"""Our whole command over HTTP against the bare append of the `eventsourcing` library, on the same server.

The API is measured alone, as it is deployed: the worker is a process of its own.
"""

import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from statistics import median

from sqlalchemy import make_url

from tests.bench import load
from tests.bench.commands import COMPANY
from tests.bench.figures import Figure
from tests.bench.setting import NotPossible, Setting

NAME = "library"
THREADS = (1, 2, 4, 8)


def run(given: Setting) -> Iterator[Figure]:
    if find_spec("psycopg_pool") is None:
        raise NotPossible("the eventsourcing library needs psycopg_pool for PostgreSQL")
    if not given.server.has_database("library"):
        given.server.create_database("library")
    tried = {}
    for threads in THREADS:
        given.tell(f"eventsourcing with {threads} threads")
        tried[threads] = appends(given, threads, max(1.0, given.seconds / 2))
    best = max(tried, key=lambda threads: tried[threads])
    appended, single, batched = [], [], []
    headers = given.bearer()
    with given.service("contacts", CRM_ROLE="api") as (url, _):
        load.commands(f"{url}/v1/companies", COMPANY, headers, 1)
        for turn in range(given.rounds):
            given.tell(f"round {turn + 1} of {given.rounds}")
            appended.append(appends(given, best, given.seconds))
            single.append(load.commands(f"{url}/v1/companies", COMPANY, headers, given.seconds).per_second)
            batched.append(
                load.batches(url, "companies.register", COMPANY, headers, given.seconds).per_second
            )
    base = median(appended)
    yield Figure(NAME, f"eventsourcing: bare append, {best} threads", base, "/s")
    yield Figure(NAME, "companies.register, one per request", median(single), "/s")
    yield Figure(NAME, "companies.register, 1,000 per batch", median(batched), "/s")
    yield Figure(NAME, "one per request ÷ append", median(single) / base, at_least=2.5)
    yield Figure(NAME, "batch ÷ append", median(batched) / base, at_least=8)


def appends(given: Setting, threads: int, seconds: float) -> float:
    where = make_url(given.server.dsn("library"))
    command = [
        sys.executable,
        "-m",
        "tests.bench.appending",
        str(where.query["host"]),
        str(where.query["port"]),
    ]
    done = subprocess.run(
        [*command, "library", str(threads), str(seconds)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NotPossible(f"the eventsourcing library failed: {done.stderr[-500:]}")
    return float(done.stdout)
