"""A history from its plan to what was found."""

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from kernel.messaging import erasures

from tests.chaos.simulation import ids
from tests.chaos.simulation.checks import check_bank
from tests.chaos.simulation.faults import Faults
from tests.chaos.simulation.ids import Replacement, replaced
from tests.chaos.simulation.nodes import BANK
from tests.chaos.simulation.operating import ModelErasures
from tests.chaos.simulation.plan import Plan
from tests.chaos.simulation.reading import check_reader, settled
from tests.chaos.simulation.store import Transaction
from tests.chaos.simulation.world import World, build, live

_OUTSIDE: tuple[Replacement, ...] = ((erasures, "ErasureFile", ModelErasures),)


@dataclass(frozen=True, slots=True)
class Result:
    plan: Plan
    violations: dict[str, str]
    acknowledged: int
    injected: Counter[str]
    lasted: float
    steps: int


def run(plan: Plan, planted: Sequence[Replacement] = ()) -> Result:
    with ExitStack() as stack:
        stack.enter_context(ids.repeatable())
        stack.enter_context(replaced(*_OUTSIDE, *planted))
        world = build(plan)
        _watch_relay_row(world)
        faults = Faults(world)
        try:
            world.loop.run(live(world, faults.heal, look, settled))
        except Exception as error:
            world.ledger.violated("the simulation broke", repr(error))
    return Result(
        plan,
        world.ledger.violations,
        len(world.ledger.acknowledged()),
        Counter(world.injected),
        world.loop.time(),
        world.loop.steps,
    )


def look(world: World, end: bool) -> None:
    if world.closed:
        return
    check_bank(world, end=end)
    check_reader(world, end=end)


def _watch_relay_row(world: World) -> None:
    """Within one history of the log, the relay's row only moves on: that is what the fence is for."""
    store = world.bank.store

    def watch(transaction: Transaction) -> None:
        after = transaction.changes.get("relay", {}).get(BANK.topic)
        before = store.tables["relay"].get(BANK.topic)
        if after and before and after["position"] < before["position"]:
            world.ledger.violated(
                "the relay's row went back", f"from {before['position']} to {after['position']}"
            )

    store.watch = watch
