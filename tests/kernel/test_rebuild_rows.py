"""A read model made again beside the live one is the fold of the log, and keeps nothing of who is erased meanwhile."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from kernel.domain.recorded import Recorded
from kernel.messaging import rebuild_rows
from kernel.messaging.rebuild import rebuild
from kernel.messaging.rebuild_rows import RowsTarget
from kernel.storage.loading import Loader
from kernel.storage.views import Rows
from kernel.testing.toy import cards, lines
from kernel.testing.toy_note import Erase, Remark

from tests.kernel.toys import ADA, BOB, Toy, on

SAID = "only Ada knows this"


@pytest.fixture
async def told(toy: Toy) -> Toy:
    """Ada's note, and what Bob's note says of her; no versions of other tests' rebuilds."""
    for view in (cards, lines):
        await toy.rows(f'DROP TABLE IF EXISTS "{view.name}_2", "{view.name}_3"')
    toy.through = await toy.committer()
    await toy.written(toy.through, ADA, BOB, text=SAID)
    await toy.through.submit(on(BOB, Remark(person_id=ADA, remark=SAID)))
    return toy


async def made_again(toy: Toy, view: Rows) -> int:
    return await rebuild(toy.database, RowsTarget(view, toy.catalog), lambda done, total: None)


async def erase(toy: Toy) -> None:
    await toy.through.submit(on(ADA, Erase()))


async def rows(toy: Toy, view: Rows, version: int) -> list[dict[str, Any]]:
    return [dict(row) for row in await toy.rows(f'SELECT * FROM "{view.name}_{version}" ORDER BY id')]


async def left(toy: Toy, view: Rows, version: int) -> list[dict[str, Any]]:
    """The rows that still say something of Ada."""
    column = "text" if view is cards else "remark"
    person = "id" if view is cards else "person_id"
    return [row for row in await rows(toy, view, version) if row[person] == ADA and row[column] is not None]


@pytest.mark.parametrize("view", [cards, lines], ids=lambda view: view.name)
async def test_a_view_made_again_has_the_rows_of_the_one_before(told: Toy, view: Rows) -> None:
    assert await made_again(told, view) == 2
    assert await rows(told, view, 2) == await rows(told, view, 1)
    assert len(await left(told, view, 2)) == 1


@pytest.mark.parametrize("view", [cards, lines], ids=lambda view: view.name)
async def test_who_is_erased_is_blank_in_every_version_of_a_view(told: Toy, view: Rows) -> None:
    await made_again(told, view)
    await made_again(told, view)
    await erase(told)
    assert [await left(told, view, version) for version in (1, 2, 3)] == [[], [], []]


async def test_a_version_of_an_earlier_shape_is_blanked_in_the_columns_that_it_has(told: Toy) -> None:
    for view in (cards, lines):
        await made_again(told, view)
        await made_again(told, view)
    await told.rows("ALTER TABLE toy_lines_2 DROP COLUMN remark")
    await told.rows("ALTER TABLE toy_cards_2 ADD COLUMN since_dropped text, DROP COLUMN title")
    await erase(told)
    assert [await left(told, cards, version) for version in (1, 2, 3)] == [[], [], []]
    assert [await left(told, lines, version) for version in (1, 3)] == [[], []]


def interrupted(toy: Toy, where: str, begun: list["asyncio.Task[None]"]) -> Callable[..., Any]:
    """`where` of the rebuild's loader, with an erasure as soon as it has read Ada's name."""
    original = getattr(Loader, where)

    async def reading(self: Loader, *given: Any) -> Sequence[Recorded[Any]] | None:
        found: Sequence[Recorded[Any]] | None = await original(self, *given)
        if not begun:
            begun.append(asyncio.create_task(erase(toy)))
            await asyncio.wait(begun, timeout=0.5)
        return found

    return reading


@pytest.mark.parametrize("view", [cards, lines], ids=lambda view: view.name)
async def test_an_erasure_in_the_middle_of_a_filling_leaves_nothing(
    told: Toy, view: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[asyncio.Task[None]] = []
    meanwhile = type("Meanwhile", (Loader,), {"decode": interrupted(told, "decode", begun)})
    monkeypatch.setattr(rebuild_rows, "Loader", meanwhile)
    await made_again(told, view)
    await asyncio.gather(*begun)
    assert [await left(told, view, version) for version in (1, 2)] == [[], []]


@pytest.mark.parametrize("view", [cards, lines], ids=lambda view: view.name)
async def test_an_erasure_in_the_middle_of_the_proof_is_no_difference(
    told: Toy, view: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[asyncio.Task[None]] = []
    meanwhile = type("Meanwhile", (Loader,), {"load": interrupted(told, "load", begun)})
    monkeypatch.setattr(rebuild_rows, "Loader", meanwhile)
    assert await made_again(told, view) == 2
    await asyncio.gather(*begun)
    assert [await left(told, view, version) for version in (1, 2)] == [[], []]
