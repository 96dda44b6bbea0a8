"""Everything on one machine: PostgreSQL, Kafka where it is wanted, and the services as processes of their own."""

import asyncio
import hashlib
import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from os import environ
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
from kernel.runtime.broker import KafkaBroker
from kernel.runtime.embedded import EmbeddedPostgres
from kernel.runtime.guarded import Guarded, ServerProblem
from kernel.runtime.settings import Events

from crm import configuration, databases, ports, services
from crm.failures import Failure
from crm.local import KAFKA_LIBS, Local

PATIENCE = 60.0
# What a killed predecessor's servers may need to notice that they are alone.
SUCCESSION = 30.0
SERVICE_TOKEN_HOURS = 365 * 24
HOST = "127.0.0.1"
# A service itself takes at most 20 s to finish what it is doing.
GRACE = 25.0

Tell = Callable[[str], None]


class Stack:
    """`with Stack(...) as stack: stack.start(tell)`; leaving it stops services, then Kafka, then PostgreSQL."""

    def __init__(
        self, local: Local, *, events: Events = Events.FEED, port_base: int = services.PORT_BASE
    ) -> None:
        self.local = local
        self.names = services.installed()
        self.ports = {name: port_base + services.NAMES.index(name) for name in self.names}
        self.urls = {name: f"http://{HOST}:{port}" for name, port in self.ports.items()}
        # What was done to the databases of a server; beside them where they are ours, so that it goes with them.
        self.notes = local.postgres
        self._events = events
        self._postgres: EmbeddedPostgres | None = None
        self._kafka: KafkaBroker | None = None
        self._processes: dict[str, Guarded] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, tell: Tell) -> None:
        self.local.make()
        self._check_ports()
        with step("PostgreSQL", tell):
            server = self._start_postgres()
        bootstrap = ""
        if self._events is Events.KAFKA:
            with step("Kafka", tell):
                bootstrap = self._start_kafka()
        with step("migrations", tell):
            self._migrate(server)
        with step("services", tell):
            self._start_services(server, bootstrap)
            self._await_ready()

    def stop(self) -> None:
        if self._processes:
            with ThreadPoolExecutor(len(self._processes)) as threads:
                list(threads.map(Guarded.stop, self._processes.values()))
            self._processes.clear()
        if self._kafka:
            self._kafka.stop()
        if self._postgres:
            self._postgres.stop()

    def watch(self) -> None:
        """Returns never; raises when one of the processes has ended."""
        while True:
            self.check()
            time.sleep(0.5)

    def check(self) -> None:
        for name, process in self._processes.items():
            if not process.running:
                raise Failure(f"The service {name} has ended; {self._last_words(name)}")
        if self._kafka and not self._kafka.running:
            raise Failure(f"Kafka has ended; {self._kafka.log} says why.")
        if self._postgres and not self._postgres.running:
            raise Failure(f"PostgreSQL has ended; {self._postgres.log} says why.")

    def log_of(self, name: str) -> Path:
        return self.local.logs / f"{name}.log"

    def _check_ports(self) -> None:
        deadline = time.monotonic() + (SUCCESSION if self.local.running() else 0)
        for name, port in self.ports.items():
            while not ports.is_free(port):
                if time.monotonic() >= deadline:
                    raise Failure(
                        f"Port {port}, wanted for {name}, is in use: stop what uses it, "
                        "or choose other ports with CRM_PORT_BASE=9100."
                    )
                time.sleep(0.1)

    def _start_postgres(self) -> str:
        if named := environ.get("CRM_DATABASE_URL"):
            asyncio.run(databases.check(named))
            self.notes = self.local.folder / "servers" / hashlib.sha256(named.encode()).hexdigest()[:16]
            self.notes.mkdir(parents=True, exist_ok=True)
            return named
        self._postgres = EmbeddedPostgres(self.local.postgres)
        deadline = time.monotonic() + SUCCESSION
        while True:
            try:
                self._postgres.start()
                return self._postgres.dsn("postgres")
            except ServerProblem as problem:
                # Nobody else holds this folder, so it is the server of a killed run, about to end.
                if "already runs" not in str(problem) or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def _start_kafka(self) -> str:
        bootstrap = environ.get("CRM_KAFKA_BOOTSTRAP", "")
        if not bootstrap:
            self._kafka = KafkaBroker(self.local.kafka, libs=KAFKA_LIBS)
            self._kafka.start()
            bootstrap = self._kafka.bootstrap
        from kernel.messaging.kafka import Cluster  # noqa: PLC0415  only who uses Kafka loads it

        from crm import topics  # noqa: PLC0415

        cluster = Cluster.of(configuration.of_kafka(bootstrap))
        topics.ensure(cluster, partitions=12, retention_days=0, replicas=1)
        return bootstrap

    def _migrate(self, server: str) -> None:
        """In a process of its own, so that this one need not load all services; on our own server once per code."""
        stamp, code = self.notes / "migrated", fingerprint(self.names)
        if self._postgres and stamp.exists() and stamp.read_text() == code:
            return
        done = subprocess.run(
            [sys.executable, "-m", "crm", "migrate"],
            env={**environ, "CRM_DATABASE_URL": server},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            told = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            raise Failure(told[-1].removeprefix("crm: "))
        stamp.write_text(code)

    def _start_services(self, server: str, bootstrap: str) -> None:
        common = self._environment(bootstrap)
        for name, port in self.ports.items():
            log = self.log_of(name)
            if log.exists():
                log.replace(log.with_suffix(".log.1"))
            process = Guarded(
                [sys.executable, "-m", "crm", "serve", name, "--host", HOST, "--port", str(port)],
                log=log,
                grace=GRACE,
                environment={
                    **common,
                    "CRM_DATABASE_URL": databases.of_service(server, name),
                    "CRM_ERASURES_FILE": str(self._erasures_of(name)),
                },
            )
            self._processes[name] = process
            process.start()

    def _erasures_of(self, name: str) -> Path:
        """Where `crm restored` looks; of a server that was named, beside the other notes about it."""
        return self.local.erasures(name) if self._postgres else self.notes / "erasures" / f"{name}.txt"

    def _environment(self, bootstrap: str) -> Mapping[str, str]:
        local = self.local
        return {
            **environ,
            **local.secrets(),
            "CRM_ENVIRONMENT": "development",
            "CRM_EVENTS": self._events.value,
            "CRM_KAFKA_BOOTSTRAP": bootstrap or "127.0.0.1:9092",
            "CRM_JWKS_FILE": str(local.key().jwks_file),
            "CRM_FEEDS": ",".join(f"{name}={url}" for name, url in self.urls.items()),
            "CRM_SERVICE_TOKEN": local.token("service", hours=SERVICE_TOKEN_HOURS),
        }

    def _await_ready(self) -> None:
        deadline = time.monotonic() + PATIENCE
        waiting = dict(self.urls)
        with httpx.Client(timeout=2, trust_env=False) as client:
            while waiting:
                self.check()
                for name, url in list(waiting.items()):
                    if is_ready(client, url):
                        del waiting[name]
                if waiting and time.monotonic() > deadline:
                    name = next(iter(waiting))
                    raise Failure(f"The service {name} did not get ready in time; {self._last_words(name)}")
                time.sleep(0.05)

    def _last_words(self, name: str) -> str:
        """The tail of its log, where its own sentence or a traceback stands."""
        log = self.log_of(name)
        lines = log.read_text(errors="replace").splitlines()[-15:] if log.exists() else []
        return f"its log {log} ends with:\n" + "\n".join(f"  {line[:500]}" for line in lines)


def fingerprint(names: Sequence[str]) -> str:
    """Changes with any file of the services and of what they share."""
    digest = hashlib.sha256(" ".join(names).encode())
    for package in ("kernel", "contracts", *map(services.package_of, names)):
        spec = importlib.util.find_spec(package)
        for folder in spec.submodule_search_locations or () if spec else ():
            for path in sorted(Path(folder).rglob("*.py")):
                at = path.stat()
                digest.update(f"{path} {at.st_size} {at.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def is_ready(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(f"{url}/readyz").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


@contextmanager
def step(what: str, tell: Tell) -> Iterator[None]:
    started = time.monotonic()
    tell(f"{what} …")
    yield
    tell(f"{what}: ready after {time.monotonic() - started:.1f} s")
