"""Three API processes of one service on one database: what its one log takes, whoever appends."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from tests.bench import load
from tests.bench.commands import COMPANY
from tests.bench.figures import Figure
from tests.bench.setting import Setting, address

NAME = "processes"
PROCESSES = 3
CONNECTIONS = 16
COMMAND = "companies.register"


def run(given: Setting) -> Iterator[Figure]:
    headers = given.bearer()
    with ExitStack() as stack:
        first = int(address(PROCESSES).rpartition(":")[2])
        urls = [f"http://127.0.0.1:{first + number}" for number in range(PROCESSES)]
        for url in urls:
            stack.enter_context(given.service("contacts", {"contacts": url}, CRM_ROLE="api"))
        before = _facts(given)
        single = _measured(
            given,
            [load.one_each(f"{url}/v1/companies", COMPANY, headers, CONNECTIONS) for url in urls],
        )
        batched = _measured(
            given, [load.in_batches(url, COMMAND, COMPANY, headers, connections=1) for url in urls]
        )
        stored = _facts(given) - before
    acknowledged = sum(rate.requests for rate in (*single, *batched))
    yield Figure(NAME, "one per request", _altogether(single), "/s")
    yield Figure(NAME, f"p99 of {PROCESSES} × {CONNECTIONS} clients", max(rate.p99 for rate in single), "ms")
    yield Figure(NAME, "1,000 per batch", _altogether(batched), "/s", at_least=3000)
    # What wrk gave up at its end was not acknowledged, and may be there.
    yield Figure(NAME, "facts in the log ÷ acknowledged", stored / acknowledged, at_least=1)


def _measured(given: Setting, loads: Sequence[load.Load]) -> list[load.Rate]:
    load.together(loads, 1)
    given.tell(f"{len(loads)} processes at once")
    return load.together(loads, given.seconds * given.rounds)


def _altogether(rates: Sequence[load.Rate]) -> float:
    return sum(rate.per_second for rate in rates)


def _facts(given: Setting) -> int:
    return int(given.server.execute("SELECT count(*) FROM events", "crm_contacts"))
