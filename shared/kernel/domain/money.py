"""Money in integer minor units of an ISO 4217 currency; never a float."""

from dataclasses import dataclass

from kernel.domain.errors import Invalid

# ISO 4217 currencies whose minor unit is not a hundredth.
_WHOLE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THOUSANDTHS = "BHD IQD JOD KWD LYD OMR TND"
_DIGITS = dict.fromkeys(_WHOLE.split(), 0) | dict.fromkeys(_THOUSANDTHS.split(), 3) | {"CLF": 4, "UYW": 4}
MOST_MINOR_UNITS = 2**53


@dataclass(frozen=True, slots=True, order=True)
class Money:
    minor: int
    currency: str

    @classmethod
    def parse(cls, amount: str, currency: str) -> "Money":
        """`Money.parse("1234.50", "CNY")` is 123450 fen; more digits than the currency has are refused."""
        digits = _DIGITS.get(currency, 2)
        whole, _, part = amount.partition(".")
        if part[digits:].strip("0"):
            raise Invalid(f"{currency} has {digits} decimal digits.", code="AMOUNT_INVALID")
        minor = int(whole + part[:digits].ljust(digits, "0"))
        if abs(minor) >= MOST_MINOR_UNITS:
            raise Invalid("The amount is too large.", code="AMOUNT_INVALID")
        return cls(minor, currency)

    @property
    def amount(self) -> str:
        digits = _DIGITS.get(self.currency, 2)
        if not digits:
            return str(self.minor)
        text = str(abs(self.minor)).rjust(digits + 1, "0")
        return f"{'-' if self.minor < 0 else ''}{text[:-digits]}.{text[-digits:]}"
