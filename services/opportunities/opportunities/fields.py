"""Field types of this service's requests: the bounds of `guards`, as a schema can say them."""

from typing import Annotated

from kernel.domain.money import Money
from kernel.web.fields import MoneyField
from pydantic import StringConstraints

_VISIBLE = r"^[^\x00-\x1f\x7f]*$"
_WORDS = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"

# A name in one line: a pipeline's, a stage's, a product's, a team's.
Label = Annotated[
    str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True, pattern=_VISIBLE)
]
Slug = Annotated[str, StringConstraints(max_length=64, pattern=r"^[a-z0-9]+([-_][a-z0-9]+)*$")]
Note = Annotated[
    str, StringConstraints(min_length=1, max_length=2_000, strip_whitespace=True, pattern=_WORDS)
]


def priced(minor: int, currency: str) -> MoneyField:
    """Minor units as a client reads them."""
    return MoneyField.model_construct(amount=Money(minor, currency).amount, currency=currency)


def shown(minor: int | None, currency: str) -> MoneyField | None:
    return None if minor is None else priced(minor, currency)
