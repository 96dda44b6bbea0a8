"""What others make of the accounts' records: a view of sums, and a reaction that must not happen twice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from uuid import UUID
from zoneinfo import ZoneInfo

from kernel.domain.decider import Decider
from kernel.messaging import cells
from kernel.messaging.cells import Cells, Heard
from kernel.storage.aggregate import Aggregate
from kernel.storage.codec import EventCodec

from tests.chaos.simulation.domain import AccountGrew

# Accounts that the view cannot take at present; the one piece of a world that a pure function has to read.
BROKEN: set[UUID] = set()


@dataclass(frozen=True, slots=True)
class Sum:
    """The versions in the order in which they were heard, and their sum."""

    heard: tuple[int, ...] = ()
    total: int = 0


def project(state: Sum, heard: Heard) -> Sum:
    if heard.stream_id in BROKEN:
        raise ValueError("this view has a fault")
    by = heard.fact.by if isinstance(heard.fact, AccountGrew) else 0
    return Sum((*state.heard, heard.version), state.total + by)


def contribute(state: Sum, zone: ZoneInfo) -> Mapping[tuple[str, ...], tuple[int, ...]]:
    return {("all",): (len(state.heard), state.total)}


sums = Cells("sums", Sum(), lambda heard: heard.stream_id, project, contribute)
STATES_TABLE, CELLS_TABLE = sums.tables(1)
CELLS = SimpleNamespace(
    load_states=cells._LOAD_STATES.format(STATES_TABLE),
    save_states=cells._WRITE_STATES.format(STATES_TABLE),
    delete_states=cells._DELETE_STATES.format(STATES_TABLE),
    load_cells=cells._LOAD_CELLS.format(CELLS_TABLE),
    save_cells=cells._WRITE_CELLS.format(CELLS_TABLE),
    delete_cells=cells._DELETE_CELLS.format(CELLS_TABLE),
    empty=(f'DELETE FROM "{STATES_TABLE}"', f'DELETE FROM "{CELLS_TABLE}"'),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    source_position: int
    incarnation: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class CountRecord:
    """A reaction that is not harmless when it is done twice."""

    source_position: int
    incarnation: UUID


def _count(_: int, command: CountRecord) -> Sequence[Counted]:
    return [Counted(source_position=command.source_position, incarnation=command.incarnation)]


tally = Aggregate(
    category="tally",
    decider=Decider(decide=_count, evolve=lambda state, _: state + 1, initial=0),
    codec=EventCodec[Counted](Counted),
)
