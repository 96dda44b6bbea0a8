"""The whole product as processes of their own: real PostgreSQL, real services, and a real Kafka where it is wanted."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, LiteralString, Self
from uuid import uuid4

import httpx
import psycopg
from crm import services, topics
from crm.local import Local
from kernel.messaging.kafka import Cluster
from kernel.messaging.service import topic_of
from kernel.messaging.topics import administering
from kernel.runtime.broker import KafkaBroker
from kernel.runtime.embedded import EmbeddedPostgres
from kernel.runtime.guarded import Guarded
from kernel.runtime.postgres_host import default_binaries
from kernel.runtime.settings import Events

from tests.ports import free_ports

NAMES = services.NAMES
HOST = "127.0.0.1"
# For a machine that has much else to do; on a quiet one everything takes seconds.
PATIENCE = 120.0


class System:
    """Databases of its own on a server that others may use too; `with` ends every process it started."""

    def __init__(self, folder: Path, postgres: EmbeddedPostgres, kafka: KafkaBroker | None = None) -> None:
        """Events travel by Kafka where there is one; `events` may be changed while nothing runs."""
        self.local = Local(folder)
        self.postgres = postgres
        self.kafka = kafka
        self.events = Events.KAFKA if kafka else Events.FEED
        self.databases = {name: f"{services.package_of(name)}_{uuid4().hex[:8]}" for name in NAMES}
        self.ports = dict(zip(NAMES, free_ports(len(NAMES)), strict=True))
        self.urls = {name: f"http://{HOST}:{port}" for name, port in self.ports.items()}
        self.processes: dict[str, Guarded] = {}
        self.local.make()
        self.token = self.local.token("admin")
        self.http = httpx.Client(
            headers={"Authorization": f"Bearer {self.token}"}, timeout=30, trust_env=False
        )

    def __enter__(self) -> Self:
        for name, database in self.databases.items():
            self.postgres.create_database(database, f"crm_{services.package_of(name)}")
        if self.kafka:
            self.make_topics()
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self.http.close()
        self.start_servers()
        if self.kafka:
            asyncio.run(self.delete_topics())
        for database in self.databases.values():
            self.postgres.drop_database(database)

    # Processes

    def start(self, names: Iterable[str] = NAMES) -> None:
        """Starts these services and waits until each is ready."""
        self.launch(names)
        for name in names:
            eventually(lambda name=name: self.is_ready(name), f"{name} is ready")  # type: ignore[misc]

    def launch(self, names: Iterable[str]) -> None:
        for name in names:
            self.processes[name] = Guarded(
                [sys.executable, "-m", "crm", "serve", name, "--host", HOST, "--port", str(self.ports[name])],
                log=self.log_of(name),
                grace=25,
                environment=self.environment(name),
            )
            self.processes[name].start()

    def stop(self, names: Iterable[str] = NAMES) -> None:
        running = [self.processes.pop(name) for name in names if name in self.processes]
        with ThreadPoolExecutor(len(running) or 1) as threads:
            list(threads.map(Guarded.stop, running))

    def kill(self, names: Iterable[str] = NAMES) -> None:
        """As a power cut would."""
        for name in names:
            self.processes.pop(name).kill()

    def kill_servers(self) -> None:
        """PostgreSQL with its children, and Kafka; the services live on."""
        # The children after their parent: it would take the loss of one for a crash, and recover.
        pids = [self.postgres.pid, *children_of(self.postgres.pid)]
        pids += [self.kafka.pid] if self.kafka else []
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.postgres.kill()
        if self.kafka:
            self.kafka.kill()

    def start_servers(self) -> None:
        self.postgres.start(PATIENCE)
        if self.kafka:
            self.kafka.start(PATIENCE)

    def is_ready(self, name: str) -> bool:
        assert self.processes[name].running, self.log_of(name).read_text(errors="replace")[-2000:]
        try:
            return self.http.get(f"{self.urls[name]}/readyz").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def log_of(self, name: str) -> Path:
        return self.local.logs / f"{name}.log"

    def environment(self, name: str) -> Mapping[str, str]:
        return {
            **{key: value for key, value in os.environ.items() if not key.startswith("CRM_")},
            **self.local.secrets(),
            "CRM_ENVIRONMENT": "development",
            "CRM_EVENTS": self.events.value,
            "CRM_KAFKA_BOOTSTRAP": self.kafka.bootstrap if self.kafka else "127.0.0.1:9",
            "CRM_JWKS_FILE": str(self.local.key().jwks_file),
            "CRM_FEEDS": ",".join(f"{other}={url}" for other, url in self.urls.items()),
            "CRM_SERVICE_TOKEN": self.local.token("service"),
            "CRM_ERASURES_FILE": str(self.local.folder / f"erased-{name}.txt"),
            "CRM_DATABASE_URL": self.dsn(name),
        }

    def crm(self, *words: str, name: str, patience: float = PATIENCE) -> subprocess.CompletedProcess[str]:
        """The command line, with the settings of this service."""
        return subprocess.run(
            [sys.executable, "-m", "crm", *words],
            env=self.environment(name),
            capture_output=True,
            text=True,
            check=False,
            timeout=patience,
        )

    def dump(self, name: str) -> str:
        """The whole database as SQL: every column of every row."""
        words = [str(default_binaries() / "pg_dump"), "--inserts", self.dsn(name)]
        return subprocess.run(words, capture_output=True, text=True, check=True, timeout=PATIENCE).stdout

    def make_topics(self) -> None:
        assert self.kafka
        topics.ensure(Cluster(self.kafka.bootstrap), partitions=12, retention_days=0, replicas=1)

    async def delete_topics(self) -> None:
        assert self.kafka
        names = {topic_of(name) for name in NAMES}
        async with administering(Cluster(self.kafka.bootstrap)) as admin:
            await admin.delete_topics(list(names))
            while names & set(await admin.list_topics()):  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    # What can be asked and seen

    def get(self, name: str, path: str, *, headers: Mapping[str, str] | None = None, **query: Any) -> Any:
        answer = self.http.get(f"{self.urls[name]}{path}", params=query, headers=headers)
        assert answer.is_success, answer.text
        return answer.json()

    def post(self, name: str, path: str, body: Mapping[str, Any], **headers: str) -> httpx.Response:
        given = {"Idempotency-Key": f"system-{uuid4()}", **headers}
        answer = self.http.post(f"{self.urls[name]}{path}", json=body, headers=given)
        assert answer.is_success, answer.text
        return answer

    def feed(self, name: str) -> list[dict[str, Any]]:
        records, after = [], 0
        while page := self.get(name, "/v1/feed", after=after, limit=5000):
            records += page
            after = int(page[-1]["position"])
        return records

    def dsn(self, name: str) -> str:
        return self.postgres.dsn(self.databases[name])

    def rows(self, name: str, query: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn(name), autocommit=True) as connection:
            cursor = connection.execute(query, values)
            return cursor.fetchall() if cursor.description else []

    def findings(self, names: Iterable[str] = NAMES, *, patience: float = PATIENCE) -> Sequence[str]:
        """What `crm verify` finds wrong in these databases."""
        with ThreadPoolExecutor(2) as threads:
            done = threads.map(
                lambda name: (name, self.crm("verify", name, name=name, patience=patience)), names
            )
            return [f"{name}: {run.stdout}{run.stderr}" for name, run in done if run.returncode]


def eventually(true: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, f"not within {patience:.0f} s: {what}"
        time.sleep(0.05)


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
