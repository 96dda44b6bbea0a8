"""`crm run` and `crm restored` agree where the erased are listed: no backup brings anybody back."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from crm import services
from crm.local import ROOT, Local
from kernel.domain.ids import new_id
from kernel.runtime.embedded import EmbeddedPostgres
from kernel.testing.servers import temporary_folder

from tests.ports import free_ports
from tests.system.crm_processes import PATIENCE, await_file, ended_afterwards, environment, start

pytestmark = pytest.mark.timeout(400)
DATABASE = "crm_contacts"
BACKUP = "crm_contacts_backup"


def test_whoever_was_erased_in_a_run_stays_erased_in_its_restored_database() -> None:
    with temporary_folder() as name:
        local, ports, person = Local(Path(name)), free_ports(len(services.NAMES))[0], new_id()
        with running(local, ports) as said:
            send(said, "/v1/contacts", {"id": str(person), "name": "Ada"})
        with EmbeddedPostgres(local.postgres) as server:
            server.create_database(BACKUP, DATABASE)
        with running(local, ports) as said:
            assert all(local.erasures(each).exists() for each in services.NAMES)
            send(said, f"/v1/contacts/{person}/erase", {"reason": "requested"})
            await_listed(local, str(person))
        with EmbeddedPostgres(local.postgres) as server:
            server.drop_database(DATABASE)
            server.create_database(DATABASE, BACKUP)

        held_back = local.erasures("contacts").rename(local.folder / "elsewhere.txt")
        done = restored(local)
        assert done.returncode == 1
        assert f"crm: The list of erased persons {local.erasures('contacts')} cannot be read" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
        held_back.rename(local.erasures("contacts"))
        assert "1 persons were erased again" in restored(local).stdout


@contextmanager
def running(local: Local, ports: int) -> Iterator[dict[str, Any]]:
    """`crm run`, ended in good order."""
    ready = local.folder / "ready.json"
    ready.unlink(missing_ok=True)
    words = ("run", "--no-demo", "--data", str(local.folder), "--port-base", str(ports), "--ready-file")
    with ended_afterwards(start(*words, str(ready))) as process:
        yield await_file(ready, process)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)


def send(said: dict[str, Any], path: str, body: dict[str, Any]) -> None:
    headers = {"Authorization": f"Bearer {said['tokens']['admin']}", "Idempotency-Key": f"run-{new_id()}"}
    answer = httpx.post(f"{said['urls']['contacts']}{path}", headers=headers, json=body, trust_env=False)
    assert answer.is_success, answer.text


def await_listed(local: Local, person: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while person not in local.erasures("contacts").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def restored(local: Local) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "crm", "restored", "contacts", "--data", str(local.folder)],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
