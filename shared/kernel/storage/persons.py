"""A person as a service other than contacts knows one: by id, until forgotten."""

from collections.abc import Sequence
from dataclasses import dataclass

from kernel.domain.decider import Decider
from kernel.storage.aggregate import Aggregate
from kernel.storage.codec import EventCodec


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonForgotten:
    """The person was erased where they are at home; their key here is destroyed with this fact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetPerson:
    """The stream's id is the person's."""


@dataclass(frozen=True, slots=True)
class Person:
    forgotten: bool = False


def decide(person: Person, command: ForgetPerson) -> Sequence[PersonForgotten]:
    return [] if person.forgotten else [PersonForgotten()]


def evolve(person: Person, event: PersonForgotten) -> Person:
    return Person(forgotten=True)


person = Aggregate(
    category="person",
    decider=Decider(decide=decide, evolve=evolve, initial=Person()),
    codec=EventCodec(PersonForgotten),
    erasing=(PersonForgotten,),
)
