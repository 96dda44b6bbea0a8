"""The marker of a personal field: sealed with the person's key in the log, `None` once erased."""

from typing import Annotated, TypeVar

Value = TypeVar("Value")


class PersonalMarker:
    """What the codec looks for in a field's annotation."""


PERSONAL = PersonalMarker()

Personal = Annotated[Value | None, PERSONAL]
