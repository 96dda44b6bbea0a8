"""The list of the erased, outside the database: whole whatever the broker does, and never taken for empty when lost."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from kernel.messaging.erasures import ErasureFile, ErasuresUnknown, restored
from kernel.messaging.kafka import Cluster
from kernel.messaging.kafka_publisher import KafkaPublisher
from kernel.messaging.relay import Relay
from kernel.messaging.service import Node
from kernel.messaging.worker import Worker
from kernel.testing.fixtures import api, make_settings
from kernel.testing.toy import service
from kernel.testing.toy_note import Erase
from kernel.web.app import create_app
from kernel.web.policy import Policy

from tests.kernel.toys import ADA, BOB, Toy, eventually, on

NOBODY_LISTENS = "127.0.0.1:9"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "outside" / "erased.txt"


async def test_whoever_is_erased_while_the_broker_is_away_is_on_the_list(toy: Toy, file: Path) -> None:
    async with worker(toy, file) as node:
        relay = Relay(node, lambda: KafkaPublisher(Cluster(NOBODY_LISTENS), service.topic, patience=1))
        async with Worker(node, [relay.run]):
            await erase(toy)
            await eventually(lambda: true(lambda: holds(file, ADA)))


async def test_a_list_is_there_before_anybody_is_erased(toy: Toy, file: Path) -> None:
    async with worker(toy, file) as node, Worker(node, []):
        await eventually(lambda: true(file.exists))
    assert ErasureFile(file).read() == set()


async def test_a_list_that_was_lost_is_whole_again_while_the_worker_runs(toy: Toy, file: Path) -> None:
    await erase(toy)
    async with worker(toy, file) as node, Worker(node, []):
        await eventually(lambda: true(lambda: holds(file, ADA)))
        await asyncio.to_thread(file.unlink)
        await toy.written(toy.through, BOB)
        await toy.through.submit(on(BOB, Erase()))
        await eventually(lambda: true(lambda: holds(file, ADA, BOB)))


async def test_a_line_that_a_crash_cut_short_takes_nobody_with_it(file: Path) -> None:
    list_ = ErasureFile(file)
    list_.make()
    list_.add([BOB])
    with file.open("a") as cut:
        cut.write(f"{ADA}"[:20])
    list_.add([ADA])
    assert list_.read() == {ADA, BOB}


@pytest.mark.parametrize("named", [True, False])
async def test_without_the_list_a_restore_is_not_set_right(toy: Toy, file: Path, named: bool) -> None:
    await erase(toy)
    before = await toy.count("incarnations")
    async with worker(toy, file if named else None) as node:
        with pytest.raises(ErasuresUnknown, match=str(file) if named else "CRM_ERASURES_FILE"):
            await restored(node)
    assert await toy.count("incarnations") == before


async def test_a_service_whose_list_is_lost_is_not_ready(toy: Toy, file: Path) -> None:
    async with (
        worker(toy, file) as node,
        api(create_app(node, Policy({}, {}), title="Toy", routers=())) as http,
    ):
        assert str(file) in (await readiness(http, 503))["erasures"]
        ErasureFile(file).make()
        assert (await readiness(http, 200))["erasures"] == "ok"


@asynccontextmanager
async def worker(toy: Toy, file: Path | None) -> AsyncIterator[Node]:
    """The toy's node in a process that is told where its list is."""
    node = Node(service, make_settings(toy.url, erasures_file=file))
    try:
        yield node
    finally:
        await node.database.close()


async def erase(toy: Toy) -> None:
    toy.through = await toy.committer()
    await toy.written(toy.through, ADA)
    await toy.through.submit(on(ADA, Erase()))


def holds(file: Path, *persons: UUID) -> bool:
    return file.exists() and ErasureFile(file).read() == set(persons)


async def true(said: Callable[[], bool]) -> bool:
    return said()


async def readiness(http: httpx.AsyncClient, status: int) -> dict[str, str]:
    answer = await http.get("/readyz")
    assert answer.status_code == status
    checks: dict[str, str] = answer.json()["checks"]
    return checks
