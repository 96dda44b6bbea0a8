"""A pytest plugin with the real servers of the tests; Kafka and PostgreSQL 15 where the machine has them.

Each test worker starts its own servers, when the first test asks. They end with the worker, however it ends.
"""

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn
from uuid import uuid4

import pytest

from kernel.runtime import broker
from kernel.runtime.broker import KafkaBroker
from kernel.runtime.embedded import EmbeddedPostgres
from kernel.runtime.postgres_host import distribution_binaries

LEFT_OUT = "Left out: "
KAFKA_LIBS = Path(__file__).resolve().parents[3] / ".local" / "kafka" / "libs"

# A killed server loses nothing without fsync, only a machine without power does.
SETTINGS = {"fsync": "off", "full_page_writes": "off", "max_connections": "300"}


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[EmbeddedPostgres]:
    """The PostgreSQL of this test worker."""
    with temporary_folder() as folder, EmbeddedPostgres(Path(folder), settings=SETTINGS) as server:
        yield server


@pytest.fixture(scope="session")
def postgres15_server() -> Iterator[EmbeddedPostgres]:
    """The oldest PostgreSQL we support, as a distribution packages it."""
    binaries = distribution_binaries(15)
    if binaries is None:
        leave_out("PostgreSQL 15 is not installed", "postgresql-15")
    with (
        temporary_folder() as folder,
        EmbeddedPostgres(Path(folder), binaries=binaries, settings=SETTINGS) as server,
    ):
        yield server


@pytest.fixture(scope="session")
def kafka_libs() -> Path:
    """What a test needs for a broker of its own."""
    if broker.missing_tools(KAFKA_LIBS):
        leave_out("Java 17 or Maven is not installed", broker.PACKAGES)
    return KAFKA_LIBS


@pytest.fixture(scope="session")
def kafka_broker(kafka_libs: Path) -> Iterator[KafkaBroker]:
    """The Kafka of this test worker; who kills it starts it again."""
    with temporary_folder() as folder, KafkaBroker(Path(folder), libs=kafka_libs) as server:
        yield server


@pytest.fixture(scope="session")
def kafka_bootstrap(request: pytest.FixtureRequest) -> str:
    """The address of a broker: the one that CRM_KAFKA_BOOTSTRAP names, or our own."""
    if named := os.environ.get("CRM_KAFKA_BOOTSTRAP"):
        return named
    own: KafkaBroker = request.getfixturevalue("kafka_broker")
    return own.bootstrap


def fresh_database(server: EmbeddedPostgres, template: str = "template0") -> str:
    """Make a database that no other test has and return its name; drop it or let it go with the server."""
    name = f"test_{uuid4().hex}"
    server.create_database(name, template)
    return name


def leave_out(reason: str, packages: str) -> NoReturn:
    """Skip with a plain word on a developer's machine, fail in CI."""
    message = f"{reason}: apt-get install -y {packages}"
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must not leave out a test. {message}", pytrace=False)
    pytest.skip(LEFT_OUT + message)


def temporary_folder() -> tempfile.TemporaryDirectory[str]:
    # Not pytest's tmp_path: it keeps the folders of three runs, and its paths are long for a unix socket.
    return tempfile.TemporaryDirectory(prefix="guanxi-", ignore_cleanup_errors=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what a run left out, and the one command that brings it in."""
    left_out: dict[str, str] = {}
    for report in terminalreporter.getreports("skipped"):
        text = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else ""
        if LEFT_OUT in text:
            left_out[report.nodeid] = text.split(LEFT_OUT, 1)[1]
    if not left_out:
        return
    terminalreporter.section("left out")
    for test, reason in left_out.items():
        terminalreporter.line(f"{test}  ({reason.split(':')[0]})")
    packages = {name for reason in left_out.values() for name in re.split(r"-y ", reason)[-1].split()}
    terminalreporter.line(f"{len(left_out)} tests were left out. To run them too:")
    terminalreporter.line(f"apt-get update && apt-get install -y {' '.join(sorted(packages))}")
