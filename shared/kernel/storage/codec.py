"""A fact to what is stored and back: the union is the catalogue, the class name the stored name.

The current schema version of a fact is 1 + the number of its upcasts; stored events are never rewritten.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Generic, NamedTuple, TypeVar, cast, get_args, get_type_hints
from uuid import UUID

from pydantic import TypeAdapter
from pydantic_core import from_json, to_json

from kernel.domain.personal import PERSONAL

Event = TypeVar("Event")
Json = dict[str, Any]
Upcast = Callable[[str, Json], tuple[str, Json]]
Upcasts = Mapping[str, Sequence[Upcast]]


class UnknownEvent(Exception):
    """The log holds a type or a version that this code does not know: a newer release wrote it."""


class Encoded(NamedTuple):
    """`data` are the open fields as JSON; `personal` those to seal with the key of `person_id` (None: the stream's)."""

    type: str
    schema_version: int
    data: str
    personal: Json | None
    person_id: UUID | None


@dataclass(frozen=True, slots=True)
class _Kind:
    cls: type
    adapter: TypeAdapter[Any]
    schema_version: int
    personal: tuple[str, ...]
    names_person: bool


def parsed(text: str | bytes) -> Any:
    """Of JSON's strings the parser keeps the keys for the next time; values are ever new, and may be a person's."""
    return from_json(text, cache_strings="keys")


def members(union: object) -> tuple[type, ...]:
    """The classes of a union, or the one class itself; none of None."""
    if union is None:
        return ()
    return get_args(union) or (cast(type, union),)


class EventCodec(Generic[Event]):
    def __init__(self, union: object, upcasts: Upcasts | None = None) -> None:
        self._upcasts: Upcasts = upcasts or {}
        self._kinds = {cls.__name__: self._kind(cls) for cls in members(union)}

    @property
    def types(self) -> frozenset[str]:
        """Every name this codec reads: the current ones and those that upcasts lift."""
        return frozenset(self._kinds) | frozenset(self._upcasts)

    @property
    def classes(self) -> list[type]:
        """The facts in their present shape."""
        return [kind.cls for kind in self._kinds.values()]

    def personal(self, fact: type) -> tuple[str, ...]:
        """The names of its personal fields."""
        return self._kinds[fact.__name__].personal

    def encode(self, fact: Event) -> Encoded:
        kind = self._kinds[type(fact).__name__]
        if not kind.personal:
            text = kind.adapter.dump_json(fact).decode()
            return Encoded(kind.cls.__name__, kind.schema_version, text, None, None)
        data: Json = kind.adapter.dump_python(fact, mode="json")
        personal = {name: data.pop(name) for name in kind.personal}
        said = {name: value for name, value in personal.items() if value is not None}
        person_id = cast("UUID | None", getattr(fact, "person_id", None)) if kind.names_person else None
        text = to_json(data).decode()
        return Encoded(kind.cls.__name__, kind.schema_version, text, said or None, person_id)

    def shown(self, fact: Event) -> Json:
        """All fields of a fact, the personal ones with what is left of them."""
        return cast(Json, self._kinds[type(fact).__name__].adapter.dump_python(fact, mode="json"))

    def decode(self, type_: str, schema_version: int, data: Json, personal: Json | None) -> Event:
        """Merge, upcast, decode. A personal field that is not given is None: erased, or never to be seen here."""
        # A copy: what was read is shown to others too, as it lies.
        merged = data | (personal or {})
        for name in self._kinds[type_].personal if type_ in self._kinds else ():
            merged.setdefault(name, None)
        chain = self._upcasts.get(type_, ())
        newest = 1 + len(chain)
        for upcast in chain[schema_version - 1 :]:
            type_, merged = upcast(type_, merged)
        kind = self._kinds.get(type_)
        if kind is None:
            raise UnknownEvent(f"no event type {type_!r} in this release")
        if schema_version > newest:
            raise UnknownEvent(f"{type_} version {schema_version} is newer than this release")
        for name in kind.personal:
            merged.setdefault(name, None)
        return cast(Event, kind.adapter.validate_python(merged))

    def _kind(self, cls: type) -> _Kind:
        hints = get_type_hints(cls, include_extras=True)
        personal = tuple(
            field.name for field in fields(cls) if PERSONAL in getattr(hints[field.name], "__metadata__", ())
        )
        return _Kind(
            cls=cls,
            adapter=TypeAdapter(cls),
            schema_version=1 + len(self._upcasts.get(cls.__name__, ())),
            personal=personal,
            names_person="person_id" in hints,
        )
