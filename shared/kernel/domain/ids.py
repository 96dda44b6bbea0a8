"""Identifiers: UUIDv7, ordered by the time they were made, carrying no personal data."""

from uuid import UUID, uuid5

from uuid_utils import compat

GUANXI = UUID("6c1f2b1e-3c52-5d0e-9f0a-1d6b5a7e0c11")


def new_id() -> UUID:
    return compat.uuid7()


def named_id(*parts: str) -> UUID:
    """The same parts always give the same id: for things that exist once by name (a template, a policy)."""
    return uuid5(GUANXI, "/".join(parts))
