"""A real PostgreSQL that belongs to one directory: for `make run`, the tests and anybody without a server.

It listens on a unix socket only.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from kernel.runtime.guarded import Guarded, ServerProblem
from kernel.runtime.postgres_host import PORT, default_binaries, give_to, server_user, socket_folder

SUPERUSER = "postgres"

SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "max_connections": "120",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class EmbeddedPostgres:
    """One server over one directory, which holds its data, its log and its socket."""

    def __init__(
        self,
        directory: Path,
        *,
        binaries: Path | None = None,
        settings: Mapping[str, str] | None = None,
        surroundings: Mapping[str, str] | None = None,
    ) -> None:
        """`surroundings` are environment variables of the server beside ours."""
        self.directory = directory.absolute()
        self.data = self.directory / "data"
        self.log = self.directory / "postgres.log"
        self._binaries = binaries or default_binaries()
        self._settings = SETTINGS | dict(settings or {})
        self._surroundings = surroundings or {}
        self._user = server_user()
        self._socket = socket_folder(self.directory)
        self._server: Guarded | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def url(self, database: str) -> str:
        """The address as SQLAlchemy writes it."""
        return self.dsn(database).replace("postgresql://", "postgresql+asyncpg://", 1)

    def dsn(self, database: str) -> str:
        """The address as libpq, asyncpg and psycopg write it."""
        return f"postgresql://{SUPERUSER}@/{quote(database)}?host={quote(str(self._socket))}&port={PORT}"

    @property
    def pid(self) -> int:
        return self._server.pid if self._server else 0

    @property
    def running(self) -> bool:
        return self._server is not None and self._server.running

    def start(self, patience: float = 60.0) -> None:
        """Start over the data that is there, or over a new, empty cluster."""
        if self.running:
            return
        self.stop()
        self._make_folder(self.directory, mine=True)
        if not self.data.exists():
            self._initialise()
        self._make_folder(self._socket)
        give_to(self._user, self.data)
        deadline = time.monotonic() + patience
        while not self._started(deadline):
            # The last processes of a killed server may need a moment to notice it.
            time.sleep(0.2)

    def stop(self) -> None:
        """Disconnect everybody and stop in good order; the data stays."""
        if self._server:
            self._server.stop()

    def kill(self) -> None:
        """End the server as a power cut would; `start` recovers."""
        if self._server:
            self._server.kill()

    def create_database(self, name: str, template: str = "template0") -> None:
        """Make a database, empty or as a copy of another one that nobody is connected to."""
        self.execute(f"create database {quoted(name)} template {quoted(template)}")

    def drop_database(self, name: str) -> None:
        self.execute(f"drop database if exists {quoted(name)} with (force)")

    def has_database(self, name: str) -> bool:
        literal = name.replace("'", "''")
        return self.execute(f"select 1 from pg_database where datname = '{literal}'") == "1"

    def execute(self, statement: str, database: str = SUPERUSER) -> str:
        """Run one statement as the superuser and return what psql prints, bare."""
        options = ["-XqAt", "-v", "ON_ERROR_STOP=1", "-c", statement]
        done = subprocess.run(  # noqa: S603
            [str(self._program("psql")), *options, self.dsn(database)],
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            raise ServerProblem(f"PostgreSQL refused: {done.stderr.strip().removeprefix('ERROR:').strip()}")
        return done.stdout.strip()

    def _initialise(self) -> None:
        """Make the cluster beside its place and move it there whole: half a one is never taken for one."""
        fresh = self.directory / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        self._make_folder(fresh)
        locale = "C.UTF-8" if sys.platform == "linux" else "C"
        options = ["--auth=trust", "--encoding=UTF8", f"--locale={locale}", "--no-instructions"]
        making = self._guarded([self._program("initdb"), *options, "-U", SUPERUSER, "-D", fresh])
        before = self._log_size()
        making.start()
        if making.wait():
            raise self._problem(before)
        fresh.rename(self.data)

    def _started(self, deadline: float) -> bool:
        """Try once; False asks for another try, a start without hope raises."""
        refuse_a_second_server(self.data)
        for left_over in self._socket.glob(".s.PGSQL.*"):
            left_over.unlink()
        settings = self._settings | {"listen_addresses": "", "unix_socket_directories": f'"{self._socket}"'}
        options = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
        before = self._log_size()
        self._server = self._guarded([self._program("postgres"), "-D", self.data, "-p", str(PORT), *options])
        self._server.start()
        while self._server.running and not is_ready(self.data, self._server.pid):
            if time.monotonic() > deadline:
                self._server.stop()
                raise ServerProblem(
                    f"PostgreSQL did not get ready in time; {self.log} says what it was doing."
                )
            time.sleep(0.02)
        if self._server.running:
            return True
        self._server.stop()
        if time.monotonic() < deadline and "pre-existing shared memory block" in self._log_since(before):
            return False
        raise self._problem(before)

    def _guarded(self, command: list[str | Path]) -> Guarded:
        # SIGINT is PostgreSQL's fast shutdown: it does not wait for clients to leave.
        return Guarded(
            command,
            log=self.log,
            stop_signal=signal.SIGINT,
            grace=30,
            user=self._user,
            environment=environment() | dict(self._surroundings),
        )

    def _program(self, name: str) -> Path:
        program = self._binaries / name
        if not program.exists():
            raise ServerProblem(
                f"There is no {name} in {self._binaries}; set CRM_POSTGRES_BIN to PostgreSQL's bin folder."
            )
        return program

    def _make_folder(self, folder: Path, *, mine: bool = False) -> None:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not mine:
                give_to(self._user, folder)
        except OSError as error:
            raise ServerProblem(f"PostgreSQL cannot use {folder}: {error.strerror}.") from error

    def _log_size(self) -> int:
        return self.log.stat().st_size if self.log.exists() else 0

    def _log_since(self, position: int) -> str:
        with self.log.open("rb") as log:
            log.seek(position)
            return log.read().decode(errors="replace")

    def _problem(self, position: int) -> ServerProblem:
        said = re.findall(r"(?:FATAL|DETAIL|error): +(.*)", self._log_since(position))
        reason = " ".join(said[:2]) or "it said nothing"
        return ServerProblem(f"PostgreSQL did not start in {self.directory}: {reason} (log: {self.log})")


def is_ready(data: Path, pid: int) -> bool:
    """PostgreSQL writes its state on the eighth line of its pid file."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"


def refuse_a_second_server(data: Path) -> None:
    """Tell a running server from the pid file of a killed one whose number another program has now."""
    pid_file = data / "postmaster.pid"
    if not (pid_file.exists() and Path("/proc/self").exists()):
        return
    pid = pid_file.read_text().split()[0]
    try:
        works_in = Path(f"/proc/{pid}/cwd").readlink()
    except FileNotFoundError:
        return  # PostgreSQL clears up after a server that is gone, and checks that all of its processes are.
    except OSError:
        works_in = None
    if works_in == data.resolve():
        raise ServerProblem(f"A PostgreSQL already runs over {data} (process {pid}); stop that one first.")
    pid_file.unlink()


def environment() -> dict[str, str]:
    """Ours without what would redirect PostgreSQL's programs or translate their messages."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
