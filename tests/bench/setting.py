"""The servers and processes of a run: a PostgreSQL with its defaults, services and others, all gone at its end."""

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from os import environ, sysconf
from pathlib import Path

import httpx
from crm import databases, services
from crm.local import Local
from crm.stack import is_ready
from kernel.runtime.embedded import EmbeddedPostgres
from kernel.runtime.guarded import Guarded
from kernel.storage.migrations import upgrade

from tests.chaos.live.preload import Preload
from tests.ports import free_ports

Tell = Callable[[str], None]
PATIENCE = 60.0


class NotPossible(Exception):
    """A bench lacks something; the message is one sentence."""


@dataclass
class Setting:
    """What every bench is given. `seconds` is how long one measurement takes."""

    server: EmbeddedPostgres
    local: Local
    seconds: float
    rounds: int
    tell: Tell

    @property
    def short(self) -> bool:
        return self.seconds < 5

    def database(self, service: str) -> str:
        """The address of the service's own, migrated database; made when first asked for."""
        name = f"crm_{services.package_of(service)}"
        url = databases.of_service(self.server.dsn("postgres"), service)
        if not self.server.has_database(name):
            self.server.create_database(name)
            made = services.load(service).service
            asyncio.run(upgrade(url, made.package, made.known_views, made.published_types))
        return url

    def environment(self, service: str, urls: Mapping[str, str], **more: str) -> dict[str, str]:
        return {
            **environ,
            **self.local.secrets(),
            "CRM_ENVIRONMENT": "development",
            "CRM_EVENTS": "feed",
            "CRM_JWKS_FILE": str(self.local.key().jwks_file),
            "CRM_DATABASE_URL": self.database(service),
            "CRM_FEEDS": ",".join(f"{name}={url}" for name, url in urls.items()),
            "CRM_SERVICE_TOKEN": self.local.token("service"),
            **more,
        }

    @contextmanager
    def service(self, name: str, urls: Mapping[str, str] = {}, **more: str) -> Iterator[tuple[str, Guarded]]:
        """One service as a process, ready; its address is chosen here unless `urls` has it."""
        url = urls.get(name) or address()
        host, port = url.removeprefix("http://").split(":")
        command = [sys.executable, "-m", "crm", "serve", name, "--host", host, "--port", port]
        others = {other: urls.get(other, "http://127.0.0.1:9") for other in services.NAMES}
        environment = self.environment(name, others, **more)
        with running(command, self.local.logs / f"{name}.log", environment) as process:
            await_ready(url, process)
            yield url, process

    def bearer(self, role: str = "admin") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.local.token(role)}"}


@contextmanager
def setting(seconds: float, rounds: int, tell: Tell, slower_ms: float = 0) -> Iterator[Setting]:
    """`slower_ms` is what each flush takes beside what it takes here."""
    with tempfile.TemporaryDirectory(prefix="guanxi-bench-", ignore_cleanup_errors=True) as folder:
        local = Local(Path(folder))
        local.make()
        surroundings = _slower_disk(Path(folder), slower_ms) if slower_ms else {}
        with EmbeddedPostgres(local.postgres, surroundings=surroundings) as server:
            yield Setting(server, local, seconds, rounds, tell)


def _slower_disk(folder: Path, milliseconds: float) -> Mapping[str, str]:
    preload = Preload.make(folder)
    if preload.library is None:
        raise NotPossible("a slower disk needs Linux and a C compiler: apt-get install -y gcc")
    surroundings = preload.environment("disk")
    preload.order("disk", "fsync_delay_us", round(milliseconds * 1000))
    return surroundings


@contextmanager
def running(command: Sequence[str], log: Path, environment: Mapping[str, str]) -> Iterator[Guarded]:
    process = Guarded(command, log=log, environment=environment)
    process.start()
    try:
        yield process
    finally:
        process.stop()


def await_ready(url: str, process: Guarded) -> None:
    deadline = time.monotonic() + PATIENCE
    with httpx.Client(timeout=2, trust_env=False) as client:
        while not is_ready(client, url):
            if not process.running or time.monotonic() > deadline:
                words = process.log.read_text(errors="replace")[-1000:]
                raise NotPossible(f"{url} did not get ready: {words}")
            time.sleep(0.05)


def address(count: int = 1) -> str:
    """A free one, with as many free ones after it as are needed."""
    return f"http://127.0.0.1:{free_ports(count)[0]}"


def processor_seconds(process: Guarded) -> float:
    """What the process has used so far: a figure that a noisy machine disturbs least."""
    said = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(said[11]) + int(said[12])) / sysconf("SC_CLK_TCK")


def server_seconds(server: EmbeddedPostgres) -> float:
    """What PostgreSQL has used so far: its processes, and those that have ended."""
    stats = [file.read_text().rpartition(")")[2].split() for file in Path("/proc").glob("[0-9]*/stat")]
    of_server = [said for said in stats if int(said[1]) == server.pid]
    own = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    ticks = sum(int(said[11]) + int(said[12]) for said in [own, *of_server])
    return (ticks + int(own[13]) + int(own[14])) / sysconf("SC_CLK_TCK")


@contextmanager
def system(given: Setting, **more: str) -> Iterator[tuple[dict[str, str], dict[str, Guarded]]]:
    """All four services, each a process of its own."""
    first = int(address(len(services.NAMES)).rpartition(":")[2])
    urls = {name: f"http://127.0.0.1:{first + number}" for number, name in enumerate(services.NAMES)}
    with ExitStack() as stack:
        processes = {name: stack.enter_context(given.service(name, urls, **more))[1] for name in urls}
        yield urls, processes
