"""What a development system keeps in one folder: databases, keys, secrets, logs, and whether it runs."""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kernel.runtime.development import DevelopmentKey

from crm.failures import Failure
from crm.people import USERS

ROOT = Path(__file__).resolve().parents[2]
KAFKA_LIBS = ROOT / ".local" / "kafka" / "libs"
HOUR = 3600.0


def default_folder() -> Path:
    """In the checkout, or where an installed command line is used."""
    chosen = os.environ.get("CRM_LOCAL")
    return Path(chosen) if chosen else (ROOT if (ROOT / "demo").is_dir() else Path.cwd()) / ".local"


def port_base(default: int) -> int:
    said = os.environ.get("CRM_PORT_BASE", str(default))
    if not said.isdecimal() or not 1024 <= int(said) <= 65500:
        raise Failure(f"CRM_PORT_BASE is a port number from 1024 to 65500, not {said!r}.")
    return int(said)


class Local:
    def __init__(self, folder: Path | None = None) -> None:
        self.folder = (folder or default_folder()).absolute()
        self.postgres = self.folder / "pg"
        self.kafka = self.folder / "kafka"
        self.keys = self.folder / "keys"
        self.logs = self.folder / "logs"
        self._running = self.folder / "run.json"

    def make(self) -> None:
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Failure(f"The folder {self.folder} cannot be made: {error.strerror}.") from None

    @contextmanager
    def held(self) -> Iterator[None]:
        """For one process at a time; the lock goes with the process, however it ends."""
        self.make()
        with (self.folder / "run.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Failure(
                    f"A `crm run` over {self.folder} is running already; stop that one first."
                ) from None
            yield

    def is_held(self) -> bool:
        try:
            with self.held():
                return False
        except Failure:
            return True

    def erasures(self, service: str) -> Path:
        """The list of whom this service has erased: not beside the databases, which may be restored."""
        return self.folder / "erasures" / f"{service}.txt"

    def secrets(self) -> Mapping[str, str]:
        """Made once: what was encrypted with them cannot be read without them."""
        file = self.folder / "secrets.env"
        if not file.exists():
            self.make()
            fresh = file.with_suffix(".new")
            fresh.unlink(missing_ok=True)
            made = {
                "CRM_SIGNING_SECRET": secrets.token_urlsafe(48),
                "CRM_MASTER_KEYS": f"1:{secrets.token_hex(32)}",
            }
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
                opened.writelines(f"{name}={value}\n" for name, value in made.items())
            fresh.rename(file)
        lines = (line.partition("=") for line in file.read_text().splitlines() if "=" in line)
        return {name: value for name, _, value in lines}

    def key(self) -> DevelopmentKey:
        self.keys.mkdir(mode=0o700, parents=True, exist_ok=True)
        return DevelopmentKey(self.keys)

    def token(self, role: str, *, hours: float = 12) -> str:
        """For the person of the cast who has this role."""
        person = USERS[role]
        return self.key().token(person.subject, person.roles, person.teams, lifetime=hours * HOUR)

    def running(self) -> dict[str, Any] | None:
        """What the last `crm run` told of itself, unless it has ended in good order since."""
        try:
            found: dict[str, Any] = json.loads(self._running.read_text())
        except (OSError, ValueError):
            return None
        return found

    def note_running(self, said: Mapping[str, Any]) -> None:
        write_whole(self._running, json.dumps(said, indent=1))

    def note_ended(self) -> None:
        self._running.unlink(missing_ok=True)


def write_whole(file: Path, text: str) -> None:
    """All of it or nothing, for this user only."""
    fresh = file.with_name(f".{file.name}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as opened:
        opened.write(text)
    fresh.replace(file)
