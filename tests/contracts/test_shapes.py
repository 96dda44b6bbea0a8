"""Stored and published shapes are promises: a change of one must be seen, and may only add."""

from typing import Any

from tools import events_page


def test_the_events_page_is_what_the_code_says() -> None:
    assert events_page.PAGE.read_text() == events_page.page(), "run: python tools/events_page.py"


def test_no_shape_changes_unseen() -> None:
    assert events_page.SHAPES.read_text() == events_page.shapes_text(), "run: python tools/events_page.py"


def test_a_published_field_is_never_personal() -> None:
    told = {name: shape for name, shape in events_page.shapes().items() if name.startswith("crm.")}
    personal = {
        "name",
        "email",
        "phone",
        "address",
        "note",
        "title",
        "subject",
        "description",
        "solution",
        "text",
    }
    # A pipeline and its stages have names; they are the company's words, not a person's.
    named = {"crm.opportunities.pipeline-defined.v1"}
    for name, shape in told.items():
        assert name in named or not personal & set(_fields(shape)), name


def _fields(shape: Any) -> set[str]:
    found: set[str] = set()
    if isinstance(shape, dict):
        found |= set(shape.get("properties", {}))
        for value in shape.values():
            found |= _fields(value)
    return found
