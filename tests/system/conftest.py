"""Where a system of the tests comes from: a PostgreSQL that may be killed, migrated databases to copy, Kafka."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kernel.runtime.broker import KafkaBroker
from kernel.runtime.embedded import EmbeddedPostgres
from kernel.testing.servers import SETTINGS, temporary_folder

from tests.system.running import System


@pytest.fixture(scope="session")
def mortal_postgres() -> Iterator[EmbeddedPostgres]:
    """Not the one of all tests, because it is killed. Has a migrated database of each service to copy."""
    with temporary_folder() as folder, EmbeddedPostgres(Path(folder), settings=SETTINGS) as server:
        subprocess.run(
            [sys.executable, "-m", "crm", "migrate"],
            env={**os.environ, "CRM_DATABASE_URL": server.dsn("postgres")},
            check=True,
            capture_output=True,
        )
        yield server


@pytest.fixture(scope="session")
def mortal_kafka(kafka_libs: Path) -> Iterator[KafkaBroker]:
    with temporary_folder() as folder, KafkaBroker(Path(folder), libs=kafka_libs) as server:
        yield server


@pytest.fixture(scope="session")
def system(mortal_postgres: EmbeddedPostgres) -> Iterator[System]:
    """One for all tests that bear company; its events travel by the feed."""
    with temporary_folder() as folder, System(Path(folder), mortal_postgres) as running:
        yield running
