"""A decider: the rules of one aggregate as two pure functions and a blank state."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Generic, TypeVar

State = TypeVar("State")
Command = TypeVar("Command")
Event = TypeVar("Event")
Rules = TypeVar("Rules")


@dataclass(frozen=True, slots=True)
class Decider(Generic[State, Command, Event]):
    """`decide` says what happens, or raises `Refused`; `evolve` what that means; no clock in either."""

    decide: Callable[[State, Command], Sequence[Event]]
    evolve: Callable[[State, Event], State]
    initial: State

    def fold(self, history: Iterable[Event]) -> State:
        return reduce(self.evolve, history, self.initial)


@dataclass(frozen=True, slots=True)
class RuledDecider(Generic[State, Command, Event, Rules]):
    """A decider whose rules are another aggregate's state: a deal is decided under its pipeline."""

    decide: Callable[[State, Command, Rules], Sequence[Event]]
    evolve: Callable[[State, Event], State]
    initial: State

    def under(self, rules: Rules) -> Decider[State, Command, Event]:
        return Decider(
            decide=lambda state, command: self.decide(state, command, rules),
            evolve=self.evolve,
            initial=self.initial,
        )
