"""A failing history made smaller: without the faults and the commands that it fails without."""

from collections.abc import Callable, Sequence

from tests.chaos.simulation.plan import Plan

Fails = Callable[[Plan], bool]


def shrink(plan: Plan, fails: Fails, most: int = 120) -> Plan:
    """Tries at most so many smaller histories. Chance decides otherwise in each, so a smaller one may not be found."""
    left = most

    def tried(smaller: Plan) -> bool:
        nonlocal left
        left -= 1
        return left >= 0 and fails(smaller)

    for fault in plan.faults:
        smaller = plan.without(frozenset(), frozenset((fault.number,)))
        if tried(smaller):
            plan = smaller
    size = len(plan.wishes) // 2
    while size and left > 0:
        for part in _parts([wish.number for wish in plan.wishes], size):
            smaller = plan.without(frozenset(part), frozenset())
            if tried(smaller):
                plan = smaller
        size //= 2
    return plan


def _parts(numbers: Sequence[int], size: int) -> list[Sequence[int]]:
    """From the last on: what comes late is least often to blame."""
    return [numbers[begin : begin + size] for begin in range(0, len(numbers), size)][::-1]
