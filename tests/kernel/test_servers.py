"""The servers that development and tests run on: they come up, come back, and go when we go."""

import os
import signal
import subprocess
import sys
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from kernel.runtime import broker
from kernel.runtime.broker import KafkaBroker
from kernel.runtime.embedded import EmbeddedPostgres
from kernel.runtime.guarded import Guarded, ServerProblem
from kernel.runtime.postgres_host import LONGEST_SOCKET_FOLDER, server_user, socket_folder
from kernel.testing.servers import fresh_database, temporary_folder
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

FAST = {"fsync": "off"}


async def add_row(server: EmbeddedPostgres, database: str) -> int:
    connection = await asyncpg.connect(server.dsn(database))
    try:
        await connection.execute("create table if not exists rows (at timestamptz default now())")
        await connection.execute("insert into rows default values")
        count: int = await connection.fetchval("select count(*) from rows")
        return count
    finally:
        await connection.close()


async def test_a_database_answers_under_both_kinds_of_address(postgres_server: EmbeddedPostgres) -> None:
    name = fresh_database(postgres_server)
    engine = create_async_engine(postgres_server.url(name))
    async with engine.connect() as connection:
        assert (await connection.execute(text("select current_database()"))).scalar_one() == name
    await engine.dispose()
    assert await add_row(postgres_server, name) == 1


async def test_a_database_can_be_copied_and_dropped(postgres_server: EmbeddedPostgres) -> None:
    original = fresh_database(postgres_server)
    await add_row(postgres_server, original)
    copy = fresh_database(postgres_server, template=original)
    assert await add_row(postgres_server, copy) == 2
    postgres_server.drop_database(copy)
    assert not postgres_server.has_database(copy)
    assert postgres_server.has_database(original)


async def test_data_survives_a_stop_and_a_kill() -> None:
    with temporary_folder() as folder, EmbeddedPostgres(Path(folder), settings=FAST) as server:
        server.create_database("contacts")
        await add_row(server, "contacts")
        server.kill()
        assert not server.running
        server.start()
        assert await add_row(server, "contacts") == 2
        os.kill(server.pid, signal.SIGKILL)
        wait_until(lambda: not server.running)
        server.start()
        server.stop()
        server.start()
        assert await add_row(server, "contacts") == 3


async def test_a_pid_file_whose_number_another_program_has_now_is_no_obstacle() -> None:
    with temporary_folder() as folder:
        with EmbeddedPostgres(Path(folder), settings=FAST) as server:
            server.create_database("contacts")
        (server.data / "postmaster.pid").write_text(f"{os.getpid()}\n{server.data}\n")
        with server:
            assert server.has_database("contacts")


def test_what_is_wrong_is_said_in_one_sentence() -> None:
    with temporary_folder() as folder:
        broken = EmbeddedPostgres(Path(folder), settings={"shared_buffers": "plenty"})
        with pytest.raises(ServerProblem, match='invalid value for parameter "shared_buffers": "plenty"'):
            broken.start()
        second = EmbeddedPostgres(Path(folder))
        with EmbeddedPostgres(Path(folder)), pytest.raises(ServerProblem, match="already runs over"):
            second.start()
        with pytest.raises(ServerProblem, match="There is no initdb in"):
            EmbeddedPostgres(Path(folder, "other"), binaries=Path(folder)).start()


def test_a_long_path_gets_its_socket_elsewhere(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * LONGEST_SOCKET_FOLDER)
    assert len(str(socket_folder(deep))) <= LONGEST_SOCKET_FOLDER
    assert socket_folder(deep) != socket_folder(deep / "other")
    assert socket_folder(Path("/srv/guanxi")) == Path("/srv/guanxi/socket")


async def test_a_distributions_postgres_15_serves_as_well(postgres15_server: EmbeddedPostgres) -> None:
    name = fresh_database(postgres15_server)
    assert postgres15_server.execute("show server_version_num", name).startswith("15")
    assert await add_row(postgres15_server, name) == 1


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_server_ends_with_the_process_that_started_it(how: signal.Signals, tmp_path: Path) -> None:
    program = f"""
import sys, time
from collections.abc import Callable
from pathlib import Path
from kernel.runtime.guarded import Guarded
server = Guarded(["sleep", "600"], log=Path({str(tmp_path / "log")!r}))
server.start()
print(server.pid, flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.send_signal(how)
        wait_until(lambda: not alive(pid))


def test_a_server_that_will_not_stop_is_killed(tmp_path: Path) -> None:
    program = (
        "import time, signal as s; s.signal(s.SIGTERM, s.SIG_IGN); print(1, flush=True); time.sleep(600)"
    )
    stubborn = Guarded([sys.executable, "-c", program], log=tmp_path / "log", grace=0.2)
    stubborn.start()
    wait_until(lambda: (tmp_path / "log").read_text() != "")
    stubborn.stop()
    assert not alive(stubborn.pid)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts servers as somebody else")
def test_a_server_of_root_passes_through_roots_private_folders(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    (private / "program").touch(mode=0o700)
    look = f"import os; print(0 not in os.getresuid(), os.access({str(private / 'program')!r}, os.X_OK))"
    server = Guarded([sys.executable, "-c", look], log=tmp_path / "log", user=server_user())
    server.start()
    assert server.wait(10) == 0
    assert (tmp_path / "log").read_text() == "True True\n"


def test_a_program_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    missing = Guarded([tmp_path / "nothing"], log=tmp_path / "log")
    with pytest.raises(ServerProblem, match="nothing could not be executed"):
        missing.start()


@pytest.mark.kafka
async def test_records_survive_a_killed_broker(kafka_libs: Path) -> None:
    with temporary_folder() as folder, KafkaBroker(Path(folder), libs=kafka_libs) as server:
        await make_topic(server.bootstrap, "facts")
        await send(server.bootstrap, "facts", b"before")
        address = server.bootstrap
        server.kill()
        assert not server.running
        server.start()
        assert server.bootstrap == address
        await send(server.bootstrap, "facts", b"after")
        assert await read(server.bootstrap, "facts", 2) == [b"before", b"after"]


@pytest.mark.kafka
def test_a_new_clusters_name_is_never_taken_for_an_option() -> None:
    names = [broker.new_cluster_id() for _ in range(2000)]
    assert len(set(names)) == len(names)
    assert {len(urlsafe_b64decode(f"{name}==")) for name in names} == {16}
    assert not any(name.startswith("-") for name in names)


async def test_no_topic_appears_by_accident(kafka_bootstrap: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    await admin.describe_topics(["a-slip-of-the-pen"])
    assert "a-slip-of-the-pen" not in await admin.list_topics()
    await admin.close()


def test_a_machine_without_java_is_told_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(ServerProblem, match="apt-get install -y openjdk-17-jre-headless maven"):
        KafkaBroker(tmp_path).start()
    with pytest.raises(ServerProblem, match="apt-get install -y openjdk-17-jre-headless maven"):
        broker.fetch_jars(tmp_path / "libs")


async def make_topic(bootstrap: str, name: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(name, 1, 1)])
    await admin.close()


async def send(bootstrap: str, topic: str, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True)
    await producer.start()
    await producer.send_and_wait(topic, value)
    await producer.stop()


async def read(bootstrap: str, topic: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    values = [(await consumer.getone()).value for _ in range(count)]
    await consumer.stop()
    return values


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition: Callable[[], bool], patience: float = 10.0) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
