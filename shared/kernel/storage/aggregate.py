"""An aggregate ties its names together; an intent is a command on its way, `Handled` what came of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from kernel.domain.decider import Command, Decider, Event, RuledDecider, State
from kernel.domain.recorded import Recorded
from kernel.storage.codec import EventCodec
from kernel.storage.views import Rows


class Owned(Protocol):
    """What record-level permission reads of a state."""

    @property
    def owner_id(self) -> UUID | None: ...

    @property
    def owner_team(self) -> str | None: ...


OwnedState = TypeVar("OwnedState")


@dataclass(frozen=True, slots=True)
class Rules(Generic[State, Command]):
    """The aggregate that another one is decided under, and which of its streams a command needs."""

    aggregate: "Aggregate[Any, Any, Any]"
    which: Callable[[State, Command], UUID | None]


@dataclass(frozen=True, slots=True)
class Timers(Generic[State, Command]):
    """`due` says what is awaited in a state, by kind; `command` is what the kernel sends when the time has come."""

    due: Callable[[State], Mapping[str, datetime]]
    command: Callable[[str, datetime], Command]


@dataclass(frozen=True, slots=True, eq=False)
class Aggregate(Generic[State, Command, Event]):
    category: str
    decider: Decider[State, Command, Event] | RuledDecider[State, Command, Event, Any]
    codec: EventCodec[Event]
    views: Sequence[Rows] = ()
    rules: Rules[State, Command] | None = None
    timers: Timers[State, Command] | None = None
    # Values that no two streams of the service may share, as a function of the state: kind → value.
    unique: Callable[[State], Mapping[str, str]] | None = None
    # Who owns a record, for permissions; None when everyone with the role may see it.
    owner: Callable[[State], Owned | None] | None = None
    # Facts that erase the person whose id is the stream's.
    erasing: tuple[type, ...] = ()

    def under(self, rules: Any) -> Decider[State, Command, Event]:
        return self.decider if isinstance(self.decider, Decider) else self.decider.under(rules)

    def evolve(self, state: State, fact: Event) -> State:
        return self.decider.evolve(state, fact)


AnyAggregate = Aggregate[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Step:
    aggregate: AnyAggregate
    stream_id: UUID
    command: Any


def stays() -> bool:
    """Of whoever does not come through a socket of ours, it is not known when they have gone."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A command with who and why. Several steps are decided and refused together; the first one is answered."""

    steps: tuple[Step, ...]
    actor: str
    key: str
    fingerprint: bytes
    command_id: UUID
    correlation_id: str
    causation_id: str | None = None
    traceparent: str | None = None
    occurred_at: datetime | None = None
    status: int = 200
    expected_version: int | None = None
    must_be_new: bool = False
    # The target's id was made here, for this intent: the log holds nothing of it.
    begins: bool = False
    # Whether the actor may know of a record with this owner; None: may see everything.
    sees: Callable[[Owned], bool] | None = None
    # What the body weighed, in bytes: a batch stays under its limit.
    weight: int = 512
    # Whether the one who asked has gone: then he may have asked elsewhere, and nothing is begun for him.
    gone: Callable[[], bool] = stays

    @property
    def target(self) -> Step:
        return self.steps[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Handled(Generic[State, Event]):
    """Facts of the stream up to `version`, the state they fold to, and where the log stood."""

    stream_id: UUID
    version: int
    state: State
    facts: Sequence[Recorded[Event]]
    status: int
    incarnation: UUID
    replayed: bool = False

    @property
    def position(self) -> int:
        return self.facts[-1].position if self.facts else 0


AnyHandled = Handled[Any, Any]
