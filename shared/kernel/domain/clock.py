"""The one place of the product that reads the wall clock; rules get their time as data."""

from datetime import UTC, datetime


def now() -> datetime:
    return datetime.now(UTC)
