"""Amounts as decimal strings and as integer minor units; the oracle is decimal arithmetic."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel.domain.errors import Invalid
from kernel.domain.money import MOST_MINOR_UNITS, Money

DIGITS = {"JPY": 0, "CNY": 2, "KWD": 3, "CLF": 4}
currencies = st.sampled_from(sorted(DIGITS))


@given(st.integers(1 - MOST_MINOR_UNITS, MOST_MINOR_UNITS - 1), currencies)
def test_an_amount_is_its_minor_units_shifted_by_the_currencys_digits(minor: int, currency: str) -> None:
    money = Money(minor, currency)
    assert Decimal(money.amount) == Decimal(minor).scaleb(-DIGITS[currency])
    assert -Decimal(money.amount).as_tuple().exponent == DIGITS[currency]  # type: ignore[operator]
    assert Money.parse(money.amount, currency) == money


@given(st.from_regex(r"-?[0-9]{1,16}(\.[0-9]{1,4})?", fullmatch=True), currencies)
def test_a_decimal_string_is_its_exact_amount_or_refused(amount: str, currency: str) -> None:
    exact = Decimal(amount).scaleb(DIGITS[currency])
    if exact != exact.to_integral_value() or abs(exact) >= MOST_MINOR_UNITS:
        with pytest.raises(Invalid):
            Money.parse(amount, currency)
    else:
        assert Money.parse(amount, currency) == Money(int(exact), currency)
