"""Checks of single values that the three deciders share; each returns quietly or refuses."""

import re

from kernel.domain.errors import Invalid
from kernel.domain.money import MOST_MINOR_UNITS

_SLUG = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")
_CURRENCY = re.compile(r"[A-Z]{3}")
# PostgreSQL's jsonb takes neither NUL nor half of a surrogate pair: refused here, not found at the insert.
_UNFIT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_LINE_BREAK = re.compile(r"[\t\n\r]")


def must_be_slug(field: str, value: str) -> None:
    if len(value) > 64 or not _SLUG.fullmatch(value):
        raise Invalid(f"{field} must be a slug like first-contact, of at most 64 characters.", field=field)


def must_be_line(field: str, value: str | None, *, most: int = 100) -> None:
    must_be_text(field, value, most=most)
    if value is not None and _LINE_BREAK.search(value):
        raise Invalid(f"{field} must be a single line.", field=field)


def must_be_text(field: str, value: str | None, *, most: int = 2_000) -> None:
    if value is None:
        return
    if not value.strip() or len(value) > most:
        raise Invalid(f"{field} must have 1 to {most} characters.", field=field, most=most)
    if _UNFIT.search(value):
        raise Invalid(f"{field} contains a control character.", field=field)


def must_be_currency(currency: str) -> None:
    if not _CURRENCY.fullmatch(currency):
        raise Invalid("A currency is three capital letters of ISO 4217.", code="CURRENCY_INVALID")


def must_be_amount(field: str, minor: int) -> None:
    if not 0 <= minor < MOST_MINOR_UNITS:
        raise Invalid(f"{field} must be 0 or more, and not astronomic.", code="AMOUNT_INVALID", field=field)
