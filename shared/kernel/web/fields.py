"""Field types of request bodies: bounded everywhere, so that nothing too large or unstorable gets in."""

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from kernel.domain.errors import Invalid
from kernel.domain.money import Money

# Visible, one line: no control characters.
_LINE = r"^[^\x00-\x1f\x7f]*$"
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True, pattern=_LINE)]
OneLine = Annotated[
    str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True, pattern=_LINE)
]
# As views store what is searched in.
Searched = Annotated[OneLine, AfterValidator(str.casefold)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
Prose = Annotated[str, StringConstraints(min_length=1, max_length=20_000)]
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
Minor = Annotated[int, Field(ge=0, le=2**53)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class MoneyField(BaseModel):
    """An amount as a decimal string with its ISO 4217 currency; never a float."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"amount": "1234.50", "currency": "CNY"}]},
    )

    amount: Annotated[str, StringConstraints(pattern=r"^-?[0-9]{1,16}(\.[0-9]{1,4})?$")]
    currency: Currency

    @model_validator(mode="after")
    def _exact(self) -> Self:
        try:
            Money.parse(self.amount, self.currency)
        except Invalid as error:
            raise ValueError(error.detail) from None
        return self

    def money(self) -> Money:
        return Money.parse(self.amount, self.currency)

    @classmethod
    def of(cls, money: Money | None) -> "MoneyField | None":
        return None if money is None else cls.model_construct(amount=money.amount, currency=money.currency)
