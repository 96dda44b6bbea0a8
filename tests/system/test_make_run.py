"""`make run` from nothing to a system with data, an end in good order, a kill, a service that dies, another broker."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from crm import services
from crm.local import ROOT, Local
from crm.ports import is_free
from kernel.testing.servers import temporary_folder

from tests.ports import free_ports
from tests.system.crm_processes import (
    PATIENCE,
    await_file,
    ended_afterwards,
    environment,
    last_words,
    processes_of,
    start,
)

# Alone on two cores the second start takes less than ten seconds; other tests may have both of them.
SECOND_START = 60.0
LINE = {"product": "pump", "quantity": 1, "unit_price": {"amount": "5.00", "currency": "CNY"}}


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with temporary_folder() as name:
        yield Path(name)


@pytest.fixture(scope="module")
def ports() -> int:
    return free_ports(len(services.NAMES))[0]


def make_run(folder: Path, ports: int, *words: str) -> "subprocess.Popen[str]":
    """As a newcomer starts it, in a session of its own, so that Ctrl-C reaches all of it and none of us."""
    # A run that was killed could not take back what it told.
    Local(folder).note_ended()
    return subprocess.Popen(
        ["make", "run", *words],
        cwd=ROOT,
        env=environment(CRM_LOCAL=str(folder), CRM_PORT_BASE=str(ports)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def press_ctrl_c(process: "subprocess.Popen[str]") -> str:
    os.killpg(process.pid, signal.SIGINT)
    told, _ = process.communicate(timeout=PATIENCE)
    return told


def await_everything(folder: Path, process: "subprocess.Popen[str]") -> dict[str, Any]:
    """What it tells of itself once all of it can be used."""
    deadline = time.monotonic() + PATIENCE
    while "tokens" not in (said := Local(folder).running() or {}):
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(last_words(process))
        time.sleep(0.1)
    return said


def start_run(folder: Path, ports: int, **said: str) -> "subprocess.Popen[str]":
    ready = folder / "ready.json"
    ready.unlink(missing_ok=True)
    command = ("run", "--data", str(folder), "--port-base", str(ports), "--ready-file", str(ready))
    return start(*command, **said)


def nothing_runs(folder: Path, ports: int) -> bool:
    """Within moments."""
    deadline = time.monotonic() + 3
    while True:
        over = (
            all(is_free(ports + number) for number in range(len(services.NAMES)))
            and not processes_of(str(folder))
            and not processes_of(f"--port {ports}")
            and not Local(folder).is_held()
        )
        if over or time.monotonic() > deadline:
            return over
        time.sleep(0.1)


def get(said: dict[str, Any], service: str, path: str, **asked: str) -> Any:
    headers = {"Authorization": f"Bearer {said['tokens']['admin']}"}
    answer = httpx.get(f"{said['urls'][service]}{path}", headers=headers, params=asked, trust_env=False)
    assert answer.is_success, answer.text
    return answer.json()


def post(said: dict[str, Any], service: str, path: str, body: dict[str, Any]) -> None:
    headers = {"Authorization": f"Bearer {said['tokens']['admin']}", "Idempotency-Key": f"run-{uuid4()}"}
    answer = httpx.post(f"{said['urls'][service]}{path}", headers=headers, json=body, trust_env=False)
    assert answer.is_success, answer.text


def test_the_first_run_has_everything_and_ends_in_good_order(folder: Path, ports: int) -> None:
    with ended_afterwards(make_run(folder, ports)) as process:
        said = await_everything(folder, process)
        assert list(said["urls"]) == list(services.NAMES)
        assert set(said["tokens"]) >= {"admin", "sales_rep", "sales_manager", "service_agent", "analyst"}
        for name in services.NAMES:
            assert get(said, name, "/readyz")["ready"]
        assert len(get(said, "contacts", "/v1/companies", limit="200")["items"]) == 60
        assert len(get(said, "opportunities", "/v1/pipelines")["items"]) == 2
        assert get(said, "opportunities", "/v1/orders", limit="200")["next_cursor"]
        assert get(said, "service-desk", "/v1/complaints")["items"]
        await_figures(said)
        orders, cohorts = [json.loads(shell(line, said, ports)) for line in copied_from_the_readme("curl")]
        assert len(orders["items"]) == 3
        assert cohorts["cohorts"]
        printed = shell(f"CRM_LOCAL={folder} .venv/bin/crm feed opportunities", said, ports).splitlines()
        assert json.loads(printed[0])["type"] == "crm.opportunities.pipeline-defined.v1"
        assert len(printed) > 1000
        told = press_ctrl_c(process)
    assert "Guanxi is running." in told
    assert "Everything has stopped; the data stays." in told
    for url in said["urls"].values():
        assert f"{url}/docs" in told
    assert all(token in told for token in said["tokens"].values())
    assert f"{said['urls']['analytics']}/console" in told
    assert str(folder) in told
    assert nothing_runs(folder, ports)
    assert (folder / "secrets.env").stat().st_mode & 0o777 == 0o600
    assert json.loads((folder / "pg" / "demo.json").read_text())["done"]


def copied_from_the_readme(command: str) -> list[str]:
    lines = (ROOT / "README.md").read_text().splitlines()
    return [line for line in lines if line.startswith(f"{command} ")]


def shell(line: str, said: dict[str, Any], ports: int) -> str:
    """As pasted into a shell, with the printed token and our ports."""
    for number in range(len(services.NAMES)):
        line = line.replace(f":{services.PORT_BASE + number}/", f":{ports + number}/")
    environ = environment(TOKEN=said["tokens"]["admin"], NO_PROXY="127.0.0.1", no_proxy="127.0.0.1")
    return subprocess.run(
        ["sh", "-c", line],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    ).stdout


def await_figures(said: dict[str, Any], more_than: int = 150) -> None:
    """Analytics hears of the year and sees customers come back."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        cohorts = get(said, "analytics", "/v1/retention")["cohorts"]
        if sum(cohort["size"] for cohort in cohorts) > more_than:
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


@pytest.mark.kafka
@pytest.mark.usefixtures("kafka_libs")
def test_the_same_data_goes_through_a_real_kafka(folder: Path, ports: int) -> None:
    with ended_afterwards(make_run(folder, ports, "EVENTS=kafka")) as process:
        said = await_everything(folder, process)
        sources = get(said, "analytics", "/v1/freshness")["sources"]
        bought = sum(cohort["size"] for cohort in get(said, "analytics", "/v1/retention")["cohorts"])
        order = {"id": str(uuid4()), "customer_id": str(uuid4()), "lines": [LINE]}
        post(said, "opportunities", "/v1/orders", order)
        await_figures(said, more_than=bought)
        told = press_ctrl_c(process)
    assert sources
    assert "Kafka" in told
    assert nothing_runs(folder, ports)


def test_a_service_that_ends_is_named_with_its_own_words(folder: Path, ports: int) -> None:
    with ended_afterwards(start_run(folder, ports, CRM_LOG_LEVEL="loud")) as process:
        told, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert "has ended; its log" in told
    assert "CRM_LOG_LEVEL: 'loud' is not a level" in told
    assert nothing_runs(folder, ports)
