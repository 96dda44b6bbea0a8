"""`crm run` from nothing to a system with data, through an end in good order, a kill and a service that dies."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from crm import services
from crm.local import Local
from kernel.testing.servers import temporary_folder

from tests.system.crm_processes import (
    PATIENCE,
    await_file,
    ended_afterwards,
    free_ports,
    is_free,
    processes_of,
    start,
)

# Alone on two cores the second start takes less than ten seconds; other tests may have both of them.
SECOND_START = 60.0


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with temporary_folder() as name:
        yield Path(name)


@pytest.fixture(scope="module")
def ports() -> int:
    return free_ports(len(services.NAMES))


def start_run(folder: Path, ports: int, **said: str) -> "subprocess.Popen[str]":
    ready = folder / "ready.json"
    ready.unlink(missing_ok=True)
    command = ("run", "--data", str(folder), "--port-base", str(ports), "--ready-file", str(ready))
    return start(*command, **said)


def nothing_runs(folder: Path, ports: int) -> bool:
    return (
        all(is_free(ports + number) for number in range(len(services.NAMES)))
        and not processes_of(str(folder))
        and not processes_of(f"--port {ports}")
        and not Local(folder).is_held()
    )


def get(said: dict[str, Any], service: str, path: str, **asked: str) -> Any:
    headers = {"Authorization": f"Bearer {said['tokens']['admin']}"}
    answer = httpx.get(f"{said['urls'][service]}{path}", headers=headers, params=asked, trust_env=False)
    assert answer.is_success, answer.text
    return answer.json()


def test_the_first_run_has_everything_and_ends_in_good_order(folder: Path, ports: int) -> None:
    with ended_afterwards(start_run(folder, ports)) as process:
        said = await_file(folder / "ready.json", process)
        assert list(said["urls"]) == list(services.NAMES)
        assert set(said["tokens"]) >= {"admin", "sales_rep", "sales_manager", "service_agent", "analyst"}
        for name in services.NAMES:
            assert get(said, name, "/readyz")["ready"]
        assert len(get(said, "contacts", "/v1/companies", limit="200")["items"]) == 60
        assert len(get(said, "opportunities", "/v1/pipelines")["items"]) == 2
        assert get(said, "opportunities", "/v1/orders", limit="200")["next_cursor"]
        assert get(said, "service-desk", "/v1/complaints")["items"]
        await_figures(said)
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, told
    assert "Guanxi is running." in told
    assert nothing_runs(folder, ports)
    assert (folder / "secrets.env").stat().st_mode & 0o777 == 0o600
    assert json.loads((folder / "pg" / "demo.json").read_text())["done"]


def await_figures(said: dict[str, Any]) -> None:
    """Analytics hears of the year and sees customers come back."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        cohorts = get(said, "analytics", "/v1/retention")["cohorts"]
        if sum(cohort["size"] for cohort in cohorts) > 150:
            return
        time.sleep(0.2)
    raise AssertionError("analytics knows no customers")


def test_a_killed_run_leaves_nothing_behind_and_the_next_one_is_quick(folder: Path, ports: int) -> None:
    begun = time.monotonic()
    with ended_afterwards(start_run(folder, ports)) as process:
        await_file(folder / "ready.json", process)
        assert time.monotonic() - begun < SECOND_START
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    deadline = time.monotonic() + PATIENCE
    while not nothing_runs(folder, ports):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_service_that_ends_is_named_with_its_own_words(folder: Path, ports: int) -> None:
    with ended_afterwards(start_run(folder, ports, CRM_LOG_LEVEL="loud")) as process:
        told, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert "has ended; its log" in told
    assert "CRM_LOG_LEVEL: 'loud' is not a level" in told
    assert nothing_runs(folder, ports)
