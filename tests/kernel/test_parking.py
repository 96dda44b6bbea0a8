"""What a view cannot take waits, and with it all that follows of the same stream; everything else flows on in order."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from kernel.messaging import unparking
from kernel.messaging.cells import Cells, Heard
from kernel.messaging.parking import all_parked
from kernel.messaging.projecting import BEHIND, Projection
from kernel.messaging.received import Received
from kernel.messaging.records import Contracts, PublicRecord
from kernel.messaging.sources import Place
from kernel.messaging.tracker import Withdrawal
from kernel.runtime.embedded import EmbeddedPostgres
from kernel.storage.database import Connection, Database
from kernel.storage.migrations import know_views
from kernel.storage.tables import analytics_metadata
from kernel.storage.views import KnownView
from kernel.testing.servers import fresh_database
from kernel.testing.toy import NoteGrew, NoteTaken

from tests.kernel.model_source import START, STREAMS
from tests.kernel.toys import ADA, BOB

SHANGHAI = ZoneInfo("Asia/Shanghai")
POISON, FLOOD, NUL, NOBODY = 666, 2**62, 777, 404


@dataclass(frozen=True, slots=True)
class Sum:
    by: tuple[int, ...] = ()
    text: str = ""


def project(state: Sum, heard: Heard) -> Sum:
    by = heard.fact.by
    if by == POISON:
        raise ValueError("this view has a fault")
    return Sum((*state.by, by), "\0" if by == NUL else "")


def entity(heard: Heard) -> UUID:
    if heard.fact.by == NOBODY:
        raise LookupError("whose it is cannot be said")
    return heard.stream_id


def contribute(state: Sum, zone: ZoneInfo) -> Mapping[tuple[str, ...], tuple[int, ...]]:
    return {("all",): (len(state.by), sum(state.by))}


sums = Cells("sums", Sum(), entity, project, contribute)
counts = Cells(
    "counts",
    0,
    lambda heard: heard.stream_id,
    lambda state, _: state + 1,
    lambda state, _: {("all",): (state,)},
)
metadata = analytics_metadata()
sums.attach(metadata)
counts.attach(metadata)


class Hearing:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.received = Received({"toy": Contracts("toy", NoteTaken | NoteGrew)})
        self.projection = Projection(database, self.received, [sums, counts], SHANGHAI)
        self._position = 0

    async def hear(self, *said: tuple[UUID, Any]) -> None:
        await self.projection.apply([self.record(stream, by) for stream, by in said], [], nothing)

    def record(self, stream: UUID, by: Any) -> PublicRecord:
        self._position += 1
        return PublicRecord(
            source="toy",
            incarnation=UUID(int=1),
            partition=0,
            position=self._position,
            previous=None,
            event_id=uuid4(),
            stream_id=stream,
            version=1,
            type="crm.toy.note-grew.v1",
            data={"note_id": str(stream), "by": by},
            occurred_at=START,
            recorded_at=START,
            correlation_id="",
            causation_id="",
            traceparent=None,
        )

    async def sums(self) -> dict[UUID, str]:
        rows = await self._rows("SELECT id, state -> 'by' AS by FROM sums_states_1")
        return {row["id"]: row["by"] for row in rows}

    async def cell(self, view: str) -> list[int]:
        return list((await self._rows(f"SELECT numbers FROM {view}_cells_1"))[0]["numbers"])

    async def parked(self) -> list[tuple[UUID, int, bool]]:
        async with self.database.driver() as connection:
            found: Sequence[Mapping[str, Any]] = await all_parked(connection)
        return [(row["stream_id"], row["position"], row["error"] == BEHIND) for row in found]

    async def _rows(self, query: str) -> Sequence[Mapping[str, Any]]:
        async with self.database.driver() as connection:
            rows: Sequence[Mapping[str, Any]] = await connection.fetch(query)
            return rows


async def nothing(connection: Connection) -> None:
    """No bookmarks here."""


@pytest.fixture
async def hearing(postgres_server: EmbeddedPostgres) -> AsyncIterator[Hearing]:
    database = Database(postgres_server.url(fresh_database(postgres_server)))
    async with database.engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
        await connection.run_sync(know_views, [KnownView("sums", 1), KnownView("counts", 1)])
    hearing = Hearing(database)
    yield hearing
    if hearing.projection._connection:
        hearing.projection._connection.terminate()
    await database.close()


async def test_what_a_view_cannot_take_parks_its_stream_and_nothing_else(hearing: Hearing) -> None:
    await hearing.hear((ADA, 1), (BOB, 1))
    await hearing.hear((ADA, 2), (BOB, POISON), (ADA, 3), (BOB, 2), (STREAMS[0], 7))
    await hearing.hear((BOB, 3), (ADA, 4))
    assert await hearing.sums() == {ADA: "[1, 2, 3, 4]", BOB: "[1]", STREAMS[0]: "[7]"}
    assert await hearing.cell("sums") == [6, 18]
    assert await hearing.parked() == [(BOB, 4, False), (BOB, 6, True), (BOB, 8, True)]
    # The other view has them all, and so has the log.
    assert await hearing.cell("counts") == [9]


async def test_a_batch_with_several_faults_keeps_the_order_of_the_rest(hearing: Hearing) -> None:
    said = [(STREAMS[n % 5], POISON if n in (7, 13) else n) for n in range(30)]
    await hearing.hear(*said)
    expected = {stream: [by for one, by in said if one == stream] for stream in STREAMS[:5]}
    for stream in (STREAMS[2], STREAMS[3]):
        expected[stream] = expected[stream][: expected[stream].index(POISON)]
    assert await hearing.sums() == {stream: str(by) for stream, by in expected.items()}
    assert len(await hearing.parked()) == 30 - sum(map(len, expected.values()))


async def test_a_batch_that_is_rolled_back_parks_nothing(hearing: Hearing) -> None:
    async def fail(connection: asyncpg.Connection) -> None:
        raise LookupError("someone else has the checkpoint")

    with pytest.raises(LookupError):
        await hearing.projection.apply([hearing.record(ADA, POISON)], [], fail)
    assert await hearing.parked() == []
    await hearing.hear((ADA, 1))
    assert await hearing.sums() == {ADA: "[1]"}


@pytest.mark.parametrize("value", [FLOOD, NUL], ids=["a sum above a bigint", "a state that jsonb refuses"])
async def test_a_value_that_the_database_refuses_is_parked_too(hearing: Hearing, value: int) -> None:
    await hearing.hear((BOB, value), (BOB, value), (ADA, 1))
    assert (await hearing.sums())[ADA] == "[1]"
    assert await hearing.parked()


async def test_a_record_whose_body_does_not_fit_its_contract_holds_up_no_other_stream(
    hearing: Hearing,
) -> None:
    await hearing.hear((BOB, "many"), (ADA, 1))
    assert await hearing.sums() == {ADA: "[1]"}


async def test_what_a_view_cannot_take_back_is_read_as_a_whole_and_parked_as_before(hearing: Hearing) -> None:
    await hearing.hear((ADA, 1), (BOB, NOBODY), (STREAMS[0], 5), (BOB, 2), (ADA, 3))
    restored = UUID(int=2)
    after = replace(hearing.record(STREAMS[1], 4), incarnation=restored)
    withdrawal = Withdrawal("toy", Place(restored, 3, (restored,)))
    await hearing.projection.apply([after], [withdrawal], nothing)
    assert await hearing.sums() == {ADA: "[1]", STREAMS[0]: "[5]", STREAMS[1]: "[4]"}
    assert await hearing.cell("sums") == [3, 10]
    assert await hearing.parked() == [(BOB, 2, False)]
    assert await hearing.cell("counts") == [4]


async def test_what_is_released_is_released_slice_by_slice_and_what_still_fails_stays(
    hearing: Hearing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unparking, "_MOST_STREAMS", 2)
    for stream in STREAMS[:5]:
        await hearing.hear((stream, 1), (stream, POISON), (stream, 2))
    await hearing.hear((ADA, NOBODY), (ADA, 1))
    mended = replace(sums, project=lambda state, heard: Sum((*state.by, heard.fact.by)))
    projection = Projection(hearing.database, hearing.received, [mended, counts], SHANGHAI)
    assert await unparking.unpark(hearing.database, projection, hearing.received, "sums") == 10
    assert await hearing.sums() == dict.fromkeys(STREAMS[:5], f"[1, {POISON}, 2]")
    assert await hearing.cell("sums") == [15, 5 * (1 + POISON + 2)]
    assert [stream for stream, _, _ in await hearing.parked()] == [ADA, ADA]
    # Whoever kept the view has to ask the table again: what was released is in it.
    await hearing.hear((STREAMS[0], 3))
    assert (await hearing.sums())[STREAMS[0]] == f"[1, {POISON}, 2, 3]"


async def test_of_a_writer_that_loses_its_connection_nothing_is_doubled(hearing: Hearing) -> None:
    await hearing.hear((ADA, 1))
    assert hearing.projection._connection
    hearing.projection._connection.terminate()
    again = hearing.record(ADA, 2)
    for _ in range(3):
        try:
            async with asyncio.timeout(5):
                await hearing.projection.apply([again], [], nothing)
        except (OSError, asyncpg.InterfaceError):
            continue
        break
    assert await hearing.sums() == {ADA: "[1, 2]"}
    assert await hearing.cell("sums") == [2, 3]
