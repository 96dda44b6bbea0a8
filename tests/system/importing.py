"""What the tests of `crm import` share: a service that takes the rows, and imports that are run or killed."""

import csv
import json
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import httpx
from kernel.testing.fixtures import ADMIN, MASTER_KEYS, SECRET, make_settings, token

from tests.ports import free_ports
from tests.system.crm_processes import PATIENCE, await_ready, ended_afterwards, start


@dataclass(frozen=True, slots=True)
class Contacts:
    url: str
    database_url: str
    client: httpx.Client

    def newest(self) -> int:
        """The position of the newest record: every company is one."""
        position = 0
        while True:
            answer = self.client.get("/v1/feed", params={"after": position, "limit": 5000})
            if int(answer.headers["Feed-Position"]) == position:
                return position
            position = int(answer.headers["Feed-Position"])

    def newest_once_quiet(self) -> int:
        """When what a killed import had sent is carried out or dropped."""
        position = -1
        while position != (position := self.newest()):
            time.sleep(1)
        return position


@contextmanager
def served_contacts(database_url: str) -> Iterator[Contacts]:
    (port,) = free_ports(1)
    said = {
        "CRM_DATABASE_URL": database_url,
        "CRM_ENVIRONMENT": "development",
        "CRM_EVENTS": "feed",
        "CRM_SIGNING_SECRET": SECRET,
        "CRM_MASTER_KEYS": MASTER_KEYS,
        "CRM_JWKS_FILE": str(make_settings(database_url).jwks_file),
        "CRM_ROLE": "api",
    }
    with ended_afterwards(start("serve", "contacts", "--port", str(port), **said)) as process:
        address = f"http://127.0.0.1:{port}"
        await_ready(address, process)
        headers = {"Authorization": f"Bearer {token()}"}
        with httpx.Client(base_url=address, headers=headers, trust_env=False) as client:
            yield Contacts(address, database_url, client)


def import_command(file: Path, map_file: Path, contacts: Contacts, by: UUID = ADMIN) -> list[str]:
    return ["import", str(file), "--map", str(map_file), "--to", contacts.url, "--token", token(subject=by)]


def imported(file: Path, map_file: Path, contacts: Contacts, by: UUID = ADMIN) -> tuple[int, str]:
    """The exit code, and all that was told, in one line."""
    with ended_afterwards(start(*import_command(file, map_file, contacts, by))) as process:
        told, _ = process.communicate(timeout=PATIENCE)
    return process.returncode, " ".join(told.split())


def kill_when_under_way(command: Sequence[str], state: Path) -> None:
    with ended_afterwards(start(*command)) as process:
        deadline = time.monotonic() + 30
        while not (state.exists() and json.loads(state.read_text())["slices"] >= 2):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()


def refused_rows(file: Path, map_name: str) -> list[dict[str, str]]:
    refused = file.with_name(f"{file.name}.{map_name}.refused.csv")
    with refused.open(encoding="utf-8-sig", newline="") as opened:
        return list(csv.DictReader(opened))
