"""What can happen to the reply policy: it is defined, and defined anew."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyPolicyDefined:
    """`version` counts the definitions from 1; before the first, the shipped default held."""

    version: int
    default_hours: int
    hours: dict[str, int]
    previous_default_hours: int
    previous_hours: dict[str, int]


# The log keeps these names for ever: a class or field is renamed by an upcast, never in place.
ReplyPolicyEvent = ReplyPolicyDefined
