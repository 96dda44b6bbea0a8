"""The two public data sets through the product under kills, doubled delivery and rebuilds; over the feed and Kafka.

Run by `make prove-real DATA=folder`: the data is not part of the repository, so no test of the suite can do it.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

from crm.local import KAFKA_LIBS
from kernel.domain.clock import now
from kernel.runtime.broker import KafkaBroker, fetch_jars
from kernel.runtime.embedded import EmbeddedPostgres
from rich.console import Console

from demo.answers import ask
from demo.counting import count, find_files
from demo.real import PIPELINE, comparison, load
from tests.system.ledger import commands_kept
from tests.system.running import System, eventually
from tests.system.test_figures_equal_an_independent_count import deliver_everything_again, rebuild_every_view

# The load takes minutes on a slow machine.
PATIENCE = 900.0
# Of 93,500 commands.
SERVICES_DIE_AFTER, SERVERS_DIE_AFTER = 20_000, 50_000


def main() -> None:
    console = Console(highlight=False)
    files = find_files(Path(sys.argv[1]))
    ways = sys.argv[2:] or ["feed", "kafka"]
    same = [prove(files, way, console) for way in ways]
    sys.exit(0 if all(same) else "prove-real: the figures differ.")


def prove(files: Mapping[str, Path], way: str, console: Console) -> bool:
    expected, same = count(files), []
    with running(way) as system:

        def compare(when: str) -> None:
            answered = ask(system.urls, system.token, PIPELINE, now())
            same.append(all(answered.get(name) == value for name, value in expected.items()))
            console.print(f"Over {way}, {when}:")
            console.print(comparison(expected, answered))

        load_under_kills(system, files, console)
        compare("loaded, with kill -9 of every process in the middle")
        deliver_everything_again(system)
        compare("delivered twice")
        rebuild_every_view(system, PATIENCE)
        compare("every view made again")
        findings = system.findings(patience=PATIENCE)
        for finding in findings:
            console.print(finding, style="red", markup=False)
        return all(same) and not findings


@contextmanager
def running(way: str) -> Iterator[System]:
    with ExitStack() as stack:
        folders = [
            Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="guanxi-", ignore_cleanup_errors=True))
            )
            for _ in range(3)
        ]
        postgres = stack.enter_context(EmbeddedPostgres(folders[0], settings={"max_connections": "300"}))
        kafka = None
        if way == "kafka":
            fetch_jars(KAFKA_LIBS)
            kafka = stack.enter_context(KafkaBroker(folders[1], libs=KAFKA_LIBS))
        address = {**os.environ, "CRM_DATABASE_URL": postgres.dsn("postgres")}
        subprocess.run([sys.executable, "-m", "crm", "migrate"], env=address, check=True, capture_output=True)
        yield stack.enter_context(System(folders[2], postgres, kafka))


def load_under_kills(system: System, files: Mapping[str, Path], console: Console) -> None:
    """The services first; then the database and Kafka, under services that live on."""
    with ThreadPoolExecutor(1) as threads:
        loading = threads.submit(lambda: asyncio.run(load(files, system.urls, system.local, console)))
        await_commands(system, SERVICES_DIE_AFTER, loading)
        system.kill()
        system.start()
        await_commands(system, SERVERS_DIE_AFTER, loading)
        system.kill_servers()
        system.start_servers()
        loading.result()


def await_commands(system: System, number: int, loading: Future[datetime]) -> None:
    eventually(lambda: loading.done() or commands_kept(system) > number, f"{number} commands", PATIENCE)
    if loading.done():
        loading.result()
        raise AssertionError("the load ended before anything was killed")


if __name__ == "__main__":
    main()
