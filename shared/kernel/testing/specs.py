"""Given, when, then: the words in which a decider's tests are written."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Generic

from kernel.domain.decider import Command, Decider, Event, State
from kernel.domain.errors import Refused


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Event]):
    facts: Sequence[Event]
    refusal: Refused | None

    def then(self, *expected: Event) -> None:
        assert self.refusal is None, f"refused: {self.refusal!r}"
        assert list(self.facts) == list(expected)

    def then_nothing(self) -> None:
        self.then()

    def then_refused(self, kind: type[Refused] = Refused, code: str | None = None) -> None:
        assert self.refusal is not None, f"not refused: {self.facts!r}"
        assert isinstance(self.refusal, kind), repr(self.refusal)
        assert code is None or self.refusal.code == code, self.refusal.code


@dataclass(frozen=True, slots=True)
class Given(Generic[State, Command, Event]):
    decider: Decider[State, Command, Event]
    state: State

    def when(self, *commands: Command) -> Outcome[Event]:
        """The outcome of the last command, each decided on what the ones before left."""
        state = self.state
        facts: Sequence[Event] = ()
        for command in commands:
            try:
                facts = self.decider.decide(state, command)
            except Refused as refusal:
                return Outcome((), refusal)
            state = reduce(self.decider.evolve, facts, state)
        return Outcome(facts, None)


@dataclass(frozen=True, slots=True)
class Spec(Generic[State, Command, Event]):
    """`spec = Spec(complaint_decider)`, then `spec.given(REGISTERED).when(...).then(...)`."""

    decider: Decider[State, Command, Event]

    def given(self, *history: Event) -> Given[State, Command, Event]:
        return Given(self.decider, self.decider.fold(history))
