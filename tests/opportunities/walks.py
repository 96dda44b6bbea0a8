"""A walk: any sequence of commands against a decider, held to what is true of every decider."""

from collections.abc import Iterable
from contextlib import suppress
from functools import reduce

from kernel.domain.decider import Command, Decider, Event, State
from kernel.domain.errors import Refused


def walk(
    initial: State, steps: Iterable[tuple[Decider[State, Command, Event], Command]]
) -> tuple[list[Event], State]:
    """All facts and the state they lead to; anything raised but a refusal fails the test."""
    history: list[Event] = []
    state = initial
    for decider, command in steps:
        with suppress(Refused):
            facts = decider.decide(state, command)
            state = reduce(decider.evolve, facts, state)
            history.extend(facts)
            assert decider.fold(history) == state
            must_change_nothing_when_sent_again(decider, state, command)
    return history, state


def must_change_nothing_when_sent_again(
    decider: Decider[State, Command, Event], state: State, command: Command
) -> None:
    with suppress(Refused):
        assert list(decider.decide(state, command)) == []
