"""What the kernel does with a view of cells, done here in memory: fold, take the difference, add it up."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar
from uuid import UUID

from analytics.semantics import CellKey, Cells, Numbers

from tests.analytics.streams import Heard

State = TypeVar("State")
Fact = TypeVar("Fact")


def states(
    records: Iterable[Heard[Fact]],
    key: Callable[[Fact], UUID],
    project: Callable[[State, Heard[Fact]], State],
    blank: State,
) -> dict[UUID, State]:
    found: dict[UUID, State] = {}
    for record in records:
        entity = key(record.fact)
        found[entity] = project(found.get(entity, blank), record)
    return found


def follow(
    batches: Iterable[Sequence[Heard[Fact]]],
    key: Callable[[Fact], UUID],
    project: Callable[[State, Heard[Fact]], State],
    blank: State,
    contribute: Callable[[State], Cells],
) -> Cells:
    """The table of cells after the batches, each written as one difference; no cell is ever negative."""
    table: dict[CellKey, list[int]] = {}
    before: dict[UUID, State] = {}
    for batch in batches:
        after = dict(before)
        for record in batch:
            entity = key(record.fact)
            after[entity] = project(after.get(entity, blank), record)
        for entity, state in after.items():
            apply(table, contribute(state), 1)
            apply(table, contribute(before.get(entity, blank)), -1)
        assert all(number >= 0 for numbers in table.values() for number in numbers)
        before = after
    return {cell: tuple(numbers) for cell, numbers in table.items() if any(numbers)}


def apply(table: dict[CellKey, list[int]], cells: Cells, sign: int) -> None:
    for cell, numbers in cells.items():
        row = table.setdefault(cell, [0] * len(numbers))
        for place, number in enumerate(numbers):
            row[place] += sign * number


def filled(cells: Cells) -> Cells:
    return {cell: numbers for cell, numbers in cells.items() if any(numbers)}


def named(cells: Cells, names: Mapping[str, Sequence[str]]) -> Counter[tuple[object, ...]]:
    """Cells as the oracles count: one entry per number that is not 0, with the number's name."""
    return Counter(
        {
            (*cell, names[cell[0]][place]): number
            for cell, numbers in cells.items()
            for place, number in enumerate(numbers)
            if number
        }
    )


def summed(cells: Cells, view: str, dimension: str, place: int) -> dict[tuple[str, ...], Numbers]:
    """The cells of one dimension with its value (at `place` of the key) summed away."""
    sums: dict[tuple[str, ...], Numbers] = {}
    for cell, numbers in cells.items():
        if cell[0] == view and dimension in cell[1:place]:
            rest = tuple(text for at, text in enumerate(cell) if at != place and text != dimension)
            sums[rest] = tuple(map(int.__add__, sums.get(rest, (0,) * len(numbers)), numbers))
    return sums
