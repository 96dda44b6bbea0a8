"""Ids that are the same in every run of a seed: in the order in which they were made, as the real ones are."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from typing import Any
from uuid import UUID

import structlog
from kernel.messaging import erasures, forgetting, records
from kernel.messaging.records import Contracts
from kernel.storage import decisions, log

_VERSION_7 = 0x7 << 76 | 0b10 << 62
_made = count(1)
Replacement = tuple[Any, str, Any]


def new_id() -> UUID:
    number = next(_made)
    return UUID(int=number << 84 | _VERSION_7 | number)


@contextmanager
def replaced(*replacements: Replacement) -> Iterator[None]:
    """While it lasts, these names of these owners mean something else."""
    held = [(owner, name, getattr(owner, name)) for owner, name, _ in replacements]
    for owner, name, value in replacements:
        setattr(owner, name, value)
    try:
        yield
    finally:
        for owner, name, value in reversed(held):
            setattr(owner, name, value)


@contextmanager
def repeatable() -> Iterator[None]:
    """New ids begin from one again, and nothing is logged."""
    global _made  # noqa: PLW0603
    _made = count(1)
    with replaced(*_REPLACED):
        yield


@contextmanager
def quiet() -> Iterator[None]:
    """The kernel's logs, as it meets with faults by the thousand, are of no use to anybody."""
    held = structlog.get_config()
    structlog.configure(
        processors=[],
        wrapper_class=structlog.make_filtering_bound_logger(50),
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        structlog.configure(**held)


_REPLACED: tuple[Replacement, ...] = (
    *((module, "new_id", new_id) for module in (decisions, log, forgetting, erasures)),
    # Made once: an adapter costs as much as a hundred commands.
    (records, "Contracts", cache(Contracts)),
)
