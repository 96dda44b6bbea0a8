"""A fact to what is stored and back, also from the shapes of older releases, also when what was personal is gone."""

from dataclasses import dataclass
from datetime import UTC
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel.domain.personal import Personal
from kernel.storage.codec import EventCodec, UnknownEvent, Upcasts, parsed
from kernel.testing.toy import note
from kernel.testing.toy_note import NoteCounted, NoteEvent, NoteRemarked, NoteWritten
from pydantic_core import from_json

from tests.kernel.toys import ADA

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
times = st.datetimes(timezones=st.just(UTC))
facts = st.one_of(
    st.builds(
        NoteWritten, title=text, text=st.none() | text, limit_id=st.uuids(), remind_at=st.none() | times
    ),
    st.builds(NoteCounted, by=st.integers(-(2**53), 2**53)),
    st.builds(NoteRemarked, person_id=st.uuids(), remark=st.none() | text),
)


@given(facts)
def test_a_fact_comes_back_as_it_was(fact: NoteEvent) -> None:
    encoded = note.codec.encode(fact)
    data = from_json(encoded.data)
    assert note.codec.decode(encoded.type, encoded.schema_version, data, encoded.personal) == fact


@given(facts)
def test_what_is_personal_is_kept_apart_and_is_none_when_it_is_gone(fact: NoteEvent) -> None:
    encoded = note.codec.encode(fact)
    data = from_json(encoded.data)
    assert not {"text", "remark"} & set(data)
    bare = note.codec.decode(encoded.type, encoded.schema_version, data, None)
    assert {getattr(bare, "text", None), getattr(bare, "remark", None)} == {None}
    assert encoded.person_id == getattr(fact, "person_id", None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    text: str
    tone: str
    remark: Personal[str] = None


def in_two(type_: str, data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return type_, {"text": data["words"], "remark": data.get("remark")}


def with_tone(type_: str, data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return type_, data | {"tone": "plain"}


def renamed(type_: str, data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "Told", data


UPCASTS: Upcasts = {"Told": [in_two, with_tone], "Said": [in_two, with_tone, renamed]}
codec = EventCodec[Told](Told, UPCASTS)


@pytest.mark.parametrize(
    ("type_", "version", "data"),
    [
        ("Told", 1, {"words": "hello"}),
        ("Told", 2, {"text": "hello"}),
        ("Told", 3, {"text": "hello", "tone": "plain"}),
        ("Said", 1, {"words": "hello"}),
        ("Said", 2, {"text": "hello"}),
        ("Said", 3, {"text": "hello", "tone": "plain"}),
    ],
)
def test_every_older_shape_is_lifted_to_the_present_one(
    type_: str, version: int, data: dict[str, Any]
) -> None:
    assert codec.decode(type_, version, dict(data), {"remark": "r"}) == Told(
        text="hello", tone="plain", remark="r"
    )
    assert codec.decode(type_, version, dict(data), None).remark is None
    assert codec.encode(Told(text="hello", tone="plain")).schema_version == 3


def test_a_type_that_was_renamed_late_in_its_life_is_still_read() -> None:
    short = EventCodec[NoteCounted](NoteCounted, {"NoteAdded": [with_by, with_by, counted]})
    assert short.decode("NoteAdded", 3, {"by": 2}, None) == NoteCounted(by=2)


def with_by(type_: str, data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return type_, data | {"by": 1}


def counted(type_: str, data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "NoteCounted", data


@pytest.mark.parametrize(("type_", "version"), [("Sung", 1), ("Told", 4), ("Said", 9)])
def test_what_a_newer_release_wrote_is_named_and_never_guessed(type_: str, version: int) -> None:
    with pytest.raises(UnknownEvent):
        codec.decode(type_, version, {"text": "hello", "tone": "plain"}, None)


def test_reading_leaves_what_is_stored_as_it_was() -> None:
    data = {"person_id": str(ADA)}
    note.codec.decode("NoteRemarked", 1, data, None)
    assert data == {"person_id": str(ADA)}


def test_the_person_is_the_one_a_fact_names_or_the_streams_own() -> None:
    other = UUID(int=7)
    assert note.codec.encode(NoteRemarked(person_id=other, remark="r")).person_id == other
    assert note.codec.encode(NoteRemarked(person_id=other, remark=None)).personal is None


def test_the_parser_remembers_names_and_no_values() -> None:
    """What is remembered would be a person's, after the person is erased."""
    one, other = (parsed(b'{"name": "Zhang Wei"}') for _ in range(2))
    assert one == other
    assert next(iter(one)) is next(iter(other))
    assert one["name"] is not other["name"]
