"""The servers and the processes of one run: what they are, how they are started, stopped, killed."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, LiteralString, Self
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import psycopg
from crm import services, topics
from kernel.messaging.kafka import Cluster
from kernel.runtime.broker import KafkaBroker
from kernel.runtime.embedded import EmbeddedPostgres
from kernel.runtime.guarded import Guarded

from tests.chaos.live.preload import Preload
from tests.chaos.live.wires import ROOT, Wires
from tests.ports import free_ports
from tests.system.running import HOST, NAMES, System, children_of

WRITING = NAMES[:3]
PARTITIONS = 12
# Every service may have both pools of each of its processes open, and the harness looks in from outside.
POSTGRES = {"max_connections": "300"}
# As the design says: the lock of whoever appends.
LOG_LOCK = 0x6C6F67
_WAITING_HOLDER = """
SELECT FROM pg_locks AS held JOIN pg_stat_activity AS holder USING (pid)
WHERE held.locktype = 'advisory' AND held.granted AND held.objid = %s AND holder.datname = current_database()
  AND holder.wait_event = 'ClientRead' AND clock_timestamp() - holder.state_change > interval '20 milliseconds'
"""
# How long a server may need to come back on a machine that has much else to do.
PATIENCE = 90.0


@dataclass(frozen=True, slots=True)
class Place:
    """One process of a service. A spared one is never killed, so that its memory can be watched."""

    name: str
    service: str
    role: str
    spared: bool = False


PLACES: Sequence[Place] = (
    *(Place(f"{name}-{role}", name, role) for name in NAMES for role in ("api", "worker")),
    Place("opportunities-api-2", "opportunities", "api", spared=True),
    Place("analytics-api-2", "analytics", "api", spared=True),
)
# Started while two workers compete, and not before.
SECOND = {f"{name}-worker": Place(f"{name}-worker-2", name, "worker") for name in NAMES}


class Fleet:
    """`with Fleet(...)`: PostgreSQL, Kafka, wires, databases, topics, processes; leaving it ends all of them.

    `planted` names a planted bug, `settings` change those of PostgreSQL.
    """

    def __init__(
        self, folder: Path, libs: Path, *, planted: str = "", settings: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.libs = libs
        self.preload = Preload.make(folder)
        self.wires = Wires()
        places = (*PLACES, *SECOND.values())
        self.kafka_port, *ports = free_ports(1 + len(places))
        self.postgres = EmbeddedPostgres(
            folder / "pg",
            settings=POSTGRES | dict(settings or {}),
            surroundings=self.preload.environment("postgres"),
        )
        self.kafka = KafkaBroker(folder / "kafka", libs=libs, advertised=self.kafka_port)
        self.system = System(folder / "local", self.postgres, self.kafka)
        self.system.databases = {name: f"crm_{services.package_of(name)}" for name in NAMES}
        self.processes: dict[str, Guarded] = {}
        self._launched: dict[str, float] = {}
        self._one_at_a_time = threading.RLock()
        self.ports = dict(zip([place.name for place in places], ports, strict=True))
        self._planted = planted
        self._stack = ExitStack()
        self.system.urls = {name: self.url(f"{name}-api") for name in NAMES}

    def __enter__(self) -> Self:
        with self._stack as stack:
            stack.enter_context(self.wires)
            stack.enter_context(self.postgres)
            stack.enter_context(self.kafka)
            stack.callback(self.system.http.close)
            self._migrate()
            self._lay_wires()
            topics.ensure(Cluster(self.kafka.bootstrap), partitions=PARTITIONS, retention_days=0, replicas=1)
            stack.callback(self.stop_all)
            for place in PLACES:
                self.launch(place)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _migrate(self) -> None:
        address = {**os.environ, "CRM_DATABASE_URL": self.postgres.dsn("postgres")}
        subprocess.run([sys.executable, "-m", "crm", "migrate"], env=address, check=True, capture_output=True)

    def _lay_wires(self) -> None:
        self.wires.lay("kafka", f"{HOST}:{self.kafka_port}", self.kafka.bootstrap)
        for place in (*PLACES, *SECOND.values()):
            folder = self._socket_of(place.name)
            folder.mkdir(parents=True)
            parts = parse_qs(urlsplit(self.postgres.dsn("postgres")).query)
            name = f".s.PGSQL.{parts['port'][0]}"
            self.wires.lay(place.name, str(folder / name), f"{parts['host'][0]}/{name}")

    def _socket_of(self, name: str) -> Path:
        return self.folder / "w" / name

    # Processes

    def launch(self, place: Place) -> None:
        words = ["tests.chaos.live.planted", self._planted] if self._planted else ["crm"]
        port = str(self.ports[place.name])
        process = Guarded(
            [sys.executable, "-m", *words, "serve", place.service, "--host", HOST, "--port", port],
            log=self.log_of(place.name),
            grace=25,
            environment=self.environment(place),
        )
        with self._one_at_a_time:
            process.start()
            self.processes[place.name], self._launched[place.name] = process, time.monotonic()

    def revive(self) -> list[tuple[str, float]]:
        """Starts again what has ended by itself, as whoever runs containers would; answers how long each had lived.

        A process that finds its database away at its start says so and ends.
        """
        with self._one_at_a_time:
            ended = [name for name, process in self.processes.items() if not process.running]
            lived = [(name, time.monotonic() - self._launched[name]) for name in ended]
            for name in ended:
                self.processes.pop(name).stop()
                self.launch(self.place(name))
            return lived

    def environment(self, place: Place) -> Mapping[str, str]:
        database = self.system.databases[place.service]
        socket = quote(str(self._socket_of(place.name)))
        return {
            **self.system.environment(place.service),
            **self.preload.environment(place.name),
            "CRM_ROLE": place.role,
            "CRM_DATABASE_URL": f"postgresql://postgres@/{database}?host={socket}&port=5432",
            "CRM_KAFKA_BOOTSTRAP": f"{HOST}:{self.kafka_port}",
            "CRM_PARTITIONS": str(PARTITIONS),
            "PYTHONPATH": str(ROOT),
        }

    def kill(self, name: str) -> None:
        with self._one_at_a_time:
            self.processes.pop(name).kill()

    def stop(self, name: str) -> None:
        with self._one_at_a_time:
            self.processes.pop(name).stop()

    def stop_all(self) -> None:
        """In bad order, and quickly: whatever was to be seen of them has been seen."""
        for name in list(self.processes):
            self.kill(name)

    def place(self, name: str) -> Place:
        return next(place for place in (*PLACES, *SECOND.values()) if place.name == name)

    def of_service(self, service: str) -> list[Place]:
        return [self.place(name) for name in self.processes if self.place(name).service == service]

    def url(self, name: str) -> str:
        return f"http://{HOST}:{self.ports[name]}"

    def log_of(self, name: str) -> Path:
        return self.system.local.logs / f"{name}.log"

    # Servers

    def kill_postgres(self) -> None:
        """The children after their parent: it would take the loss of one for a crash, and recover."""
        for pid in (pid for pid in [self.postgres.pid, *children_of(self.postgres.pid)]):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.postgres.kill()

    def start_postgres(self) -> None:
        self.postgres.start(PATIENCE)

    def signal_postgres(self, number: signal.Signals) -> None:
        for pid in [self.postgres.pid, *children_of(self.postgres.pid)]:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def accepts_connections(self) -> bool:
        try:
            return self.rows("contacts", "SELECT 1") == [(1,)]
        except psycopg.Error:
            return False

    def copy_database(self, template: str, name: str) -> None:
        self.postgres.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')

    def change(self, service: str, statement: str) -> None:
        """A change of the schema, made as by an operator who does not wait long for others."""
        with psycopg.connect(self.system.dsn(service), autocommit=True, connect_timeout=10) as connection:
            connection.execute("SET lock_timeout = '5s'")
            connection.execute(statement.encode())

    def change_under_lock(self, service: str, statement: str) -> None:
        """Raises `LockNotAvailable` rather than hold up those who append."""
        with psycopg.connect(self.system.dsn(service), connect_timeout=10) as connection:
            connection.execute("SET lock_timeout = '500ms'")
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOG_LOCK])
            connection.execute(statement.encode())

    def log_lock_held_over(self, service: str) -> bool:
        """Whether somebody holds the log's lock and waits for a client that says nothing."""
        return bool(self.rows(service, _WAITING_HOLDER, LOG_LOCK))

    def rows(self, service: str, query: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        """Asked directly, not over a wire."""
        with psycopg.connect(self.system.dsn(service), autocommit=True, connect_timeout=10) as connection:
            cursor = connection.execute(query, values)
            return cursor.fetchall() if cursor.description else []


async def until_ready(fleet: Fleet, names: Iterable[str], patience: float = PATIENCE) -> None:
    deadline = time.monotonic() + patience
    async with httpx.AsyncClient(trust_env=False, timeout=5) as http:
        for name in names:
            while not await is_ready(http, fleet.url(name)):
                if time.monotonic() > deadline:
                    tail = fleet.log_of(name).read_text(errors="replace")[-1500:]
                    raise TimeoutError(f"{name} is not ready: {tail}")
                await asyncio.sleep(0.1)


async def is_ready(http: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(f"{url}/readyz")).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
