"""Whatever a user does wrong is answered with one sentence, and never with a traceback."""

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import jwt
import pytest
from crm import services
from crm.local import Local
from crm.main import app
from kernel.messaging.kafka import Cluster
from kernel.messaging.service import topic_of
from kernel.messaging.topics import administering
from kernel.runtime.embedded import EmbeddedPostgres
from kernel.testing.fixtures import make_settings

from tests.system.crm_processes import ended_afterwards, start

SOUND = {
    "CRM_DATABASE_URL": "postgresql://crm:geheim@127.0.0.1:1/crm",
    "CRM_SIGNING_SECRET": "a secret of the tests, and of nothing else",
    "CRM_MASTER_KEYS": "1:" + "07" * 32,
    "CRM_JWKS_URL": "http://127.0.0.1:1/jwks.json",
}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("CRM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CRM_LOCAL", str(tmp_path / "local"))


@pytest.fixture
def sound_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SOUND.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def used_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        app(list(arguments))
    return int(ended.value.code or 0)


def only_sentence(capsys: pytest.CaptureFixture[str]) -> str:
    told = capsys.readouterr().err.strip()
    assert "\n" not in told, told
    assert told.startswith("crm: ")
    return told


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("serve nobody", "There is no service named 'nobody'"),
        ("serve contacts", "CRM_DATABASE_URL is missing"),
        ("serve contacts --port many", "Invalid value for '--port'"),
        ("sing", "No such command 'sing'"),
        ("migrate nobody", "There is no service named 'nobody'"),
        ("token --role king", "There is no role 'king'"),
        ("token", "Missing option '--role'"),
        ("healthcheck http://127.0.0.1:1/readyz", "does not answer"),
        ("feed contacts", "Where contacts answers is not known"),
        ("feed contacts --url http://127.0.0.1:1", "a token must be given"),
        ("feed contacts --url http://127.0.0.1:1 --token t", "does not answer"),
        ("import none.csv --map none.toml", "The map none.toml cannot be read"),
        ("run --port-base 80", "Invalid value for '--port-base'"),
    ],
)
def test_a_mistake_is_answered_with_one_sentence(
    arguments: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*arguments.split()) > 0
    assert sentence in only_sentence(capsys)


def test_a_broker_that_does_not_answer_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("topics", "--bootstrap", "127.0.0.1:1") == 1
    assert "The Kafka broker 127.0.0.1:1 cannot be reached" in only_sentence(capsys)


@pytest.mark.kafka
def test_topics_are_made_once_and_stay_as_they_are(
    kafka_bootstrap: str, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [topic_of(name) for name in services.NAMES]
    try:
        assert call("topics", "--bootstrap", kafka_bootstrap, "--partitions", "2") == 0
        assert capsys.readouterr().out.splitlines() == [f"{name} made" for name in names]
        assert call("topics", "--bootstrap", kafka_bootstrap, "--partitions", "3") == 0
        there = "was there, with 2 partitions instead of 3"
        assert capsys.readouterr().out.splitlines() == [f"{name} {there}" for name in names]
        assert call("topics", "--bootstrap", kafka_bootstrap, "--replicas", "3") == 0
    finally:
        asyncio.run(delete_topics(kafka_bootstrap, names))
    capsys.readouterr()
    assert call("topics", "--bootstrap", kafka_bootstrap, "--replicas", "3") == 1
    assert "topic crm.contacts.v1 could not be made" in only_sentence(capsys)


async def delete_topics(bootstrap: str, names: Sequence[str]) -> None:
    async with administering(Cluster(bootstrap)) as admin:
        await admin.delete_topics(list(names))
        while set(names) & set(await admin.list_topics()):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@pytest.mark.usefixtures("sound_settings")
@pytest.mark.parametrize("command", ["serve contacts --port 0", "migrate contacts", "migrate", "run"])
def test_an_unreachable_database_is_named_without_its_password(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = command.replace(" --port 0", "")
    assert call(*command.split()) == 1
    told = only_sentence(capsys)
    assert "The database postgresql://crm:***@127.0.0.1:1/crm cannot be reached" in told
    assert "geheim" not in told


@pytest.mark.usefixtures("sound_settings")
def test_a_port_in_use_is_named(used_port: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("serve", "contacts", "--port", str(used_port)) == 1
    assert f"Port {used_port} of 127.0.0.1 cannot be used" in only_sentence(capsys)


def test_run_names_the_port_that_it_cannot_have(used_port: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("run", "--port-base", str(used_port - 2)) == 1
    assert f"Port {used_port}, wanted for service-desk, is in use" in only_sentence(capsys)


def test_two_runs_over_one_folder_are_one_too_many(capsys: pytest.CaptureFixture[str]) -> None:
    with Local().held():
        assert call("run") == 1
    assert "is running already" in only_sentence(capsys)


def test_config_reports_every_problem_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CRM_SIGNING_SECRET", "short")
    monkeypatch.setenv("CRM_MASTER_KEYS", "no key")
    monkeypatch.setenv("CRM_ZONE", "Mars/Olympus")
    monkeypatch.setenv("CRM_PARTITIONS", "0")
    monkeypatch.setenv("CRM_LOG_LEVEL", "loud")
    monkeypatch.setenv("CRM_DATABSE_URL", "misspelt")
    monkeypatch.setenv("CRM_KAFKA_SASL_USERNAME", "guanxi")
    assert call("config") == 1
    told = capsys.readouterr().err
    for word in (
        "CRM_DATABASE_URL is missing",
        "CRM_SIGNING_SECRET: ",
        "CRM_MASTER_KEYS is a list",
        "CRM_JWKS_FILE or CRM_JWKS_URL",
        "CRM_ZONE: 'Mars/Olympus'",
        "CRM_PARTITIONS: ",
        "CRM_LOG_LEVEL: 'loud'",
        "CRM_KAFKA_SECURITY_PROTOCOL=PLAINTEXT uses no CRM_KAFKA_SASL_",
        "CRM_DATABSE_URL is not a setting",
    ):
        assert word in told


@pytest.mark.usefixtures("sound_settings")
def test_config_masks_what_is_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CRM_KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("CRM_KAFKA_SASL_USERNAME", "guanxi")
    monkeypatch.setenv("CRM_KAFKA_SASL_PASSWORD", "open-sesame")
    assert call("config") == 0
    told = capsys.readouterr().out
    assert "CRM_ZONE=Asia/Shanghai" in told
    assert "CRM_SIGNING_SECRET=********" in told
    assert "CRM_KAFKA_SASL_USERNAME=guanxi" in told
    assert "CRM_KAFKA_SASL_PASSWORD=********" in told
    secrets = "geheim", "07" * 32, SOUND["CRM_SIGNING_SECRET"], "open-sesame"
    assert not any(secret in told for secret in secrets)


@pytest.mark.usefixtures("sound_settings")
@pytest.mark.parametrize("command", ["config", "topics"])
@pytest.mark.parametrize(
    ("protocol", "sentence"),
    [
        ("TLS", "CRM_KAFKA_SECURITY_PROTOCOL: input should be 'PLAINTEXT', 'SSL'"),
        ("SASL_SSL", "CRM_KAFKA_SECURITY_PROTOCOL=SASL_SSL needs CRM_KAFKA_SASL_USERNAME and"),
    ],
)
def test_a_kafka_that_cannot_be_reached_so_is_refused_in_one_sentence(
    command: str,
    protocol: str,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CRM_KAFKA_SECURITY_PROTOCOL", protocol)
    monkeypatch.setenv("CRM_KAFKA_SASL_PASSWORD", "open-sesame")
    assert call(command) == 1
    told = only_sentence(capsys)
    assert sentence in told
    assert "open-sesame" not in told


@pytest.mark.usefixtures("sound_settings")
@pytest.mark.parametrize("command", ["config", "topics"])
def test_a_file_without_certificates_is_named(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "authority.pem"
    monkeypatch.setenv("CRM_KAFKA_SECURITY_PROTOCOL", "SSL")
    monkeypatch.setenv("CRM_KAFKA_CA_FILE", str(file))
    for content in (None, "no certificate"):
        if content:
            file.write_text(content)
        assert call(command) == 1
        assert f"CRM_KAFKA_CA_FILE: {file} cannot be read, or holds" in only_sentence(capsys)


def test_a_token_says_what_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("token", "--role", "sales_manager", "--team", "east", "--hours", "1") == 0
    claims = jwt.decode(capsys.readouterr().out.strip(), options={"verify_signature": False})
    assert (claims["roles"], claims["teams"]) == (["sales_manager"], ["east"])


def test_a_server_that_is_asked_to_end_ends_well(postgres_server: EmbeddedPostgres, used_port: int) -> None:
    settings = make_settings(postgres_server.url("postgres"))
    said = {
        **SOUND,
        "CRM_DATABASE_URL": postgres_server.url("postgres"),
        "CRM_ENVIRONMENT": "development",
        "CRM_JWKS_FILE": str(settings.jwks_file),
        "CRM_ROLE": "api",
    }
    port = used_port - 1
    with ended_afterwards(start("serve", "contacts", "--port", str(port), **said)) as process:
        assert process.stdout
        assert any("startup complete" in line for line in process.stdout)
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=20)
        assert process.returncode == 0, rest
        assert all(line.startswith("{") for line in rest.splitlines())


def test_help_is_quick_and_names_every_command() -> None:
    with ended_afterwards(start("--help")) as process:
        told, _ = process.communicate(timeout=20)
    assert all(
        name in told for name in "serve run migrate topics token import feed config healthcheck".split()
    )
    assert process.returncode == 0


def test_whoever_stops_reading_gets_no_traceback(sound_settings: None) -> None:
    with ended_afterwards(start("config", **SOUND)) as process:
        assert process.stdout
        process.stdout.close()
        assert process.wait(20) in (0, 1, -signal.SIGPIPE)
    assert isinstance(process, subprocess.Popen)
