"""What a question may name, with the defaults of all figures: the zone, the period, the position."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi.exceptions import RequestValidationError
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)

from analytics.semantics import Period

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_MONTH = re.compile(r"\d{4}-\d{2}")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T.+")
_FIRST, _LAST = date(1900, 1, 1), date(2999, 12, 31)


def refuse(parameter: str, code: str, detail: str) -> NoReturn:
    """A 422 whose entry names the parameter, as for those that the framework finds."""
    raise RequestValidationError([{"loc": ("query", parameter), "type": code, "msg": detail}])


def _iso(given: object) -> object:
    """Only the written form: a number would be read as seconds since 1970."""
    if isinstance(given, str) and not _DAY.fullmatch(given):
        raise ValueError("a day is written like 2026-03-31")
    return given


def _in_range(day: date) -> date:
    if not _FIRST <= day <= _LAST:
        raise ValueError(f"a day lies between {_FIRST} and {_LAST}")
    return day


def _first_of_month(given: object) -> object:
    if isinstance(given, str):
        if not _MONTH.fullmatch(given):
            raise ValueError("a month is written like 2026-03")
        return f"{given}-01"
    return given


def _written_out(given: object) -> object:
    if isinstance(given, str) and not _MOMENT.fullmatch(given):
        raise ValueError("a moment is written like 2026-03-31T09:30:00Z")
    return given


def _in_utc(at: datetime) -> datetime:
    _in_range(at.date())
    return at.astimezone(UTC)


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not an IANA time zone") from None
    return name


Day = Annotated[date, BeforeValidator(_iso), AfterValidator(_in_range)]
Month = Annotated[
    date,
    BeforeValidator(_first_of_month),
    AfterValidator(_in_range),
    WithJsonSchema({"type": "string", "pattern": f"^{_MONTH.pattern}$"}),
]
Moment = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_in_utc)]
Zone = Annotated[str, AfterValidator(_known_zone), Field(max_length=64)]


class PositionQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    as_of_position: int | None = Field(
        None,
        ge=0,
        le=2**62,
        description="the figures as they were reported at this position; without it, now",
    )
    as_of_time: Moment | None = Field(
        None,
        description="the moment from which the answer looks back, for the end of the period, windows and months; "
        "with the `as_of_position` and `as_of_time` of an earlier answer its figures are given again. Goes with "
        "`as_of_position`; not before that was heard, nor in the future. Without it, when that was heard, or "
        "now if it is the newest",
        examples=["2026-06-30T09:12:44.120000Z"],
    )


class FiguresQuery(PositionQuery):
    zone: Zone | None = Field(
        None,
        description="IANA zone that decides days and months; without it, the company's",
        examples=["Asia/Shanghai"],
    )


class DaysQuery(FiguresQuery):
    """From a day on and before another; without them, the last twelve months with today."""

    from_: Day | None = Field(
        None, alias="from", description="first day of the period", examples=["2026-01-01"]
    )
    to: Day | None = Field(
        None, description="first day after the period: it is not part of it", examples=["2026-07-01"]
    )

    def period(self, now: datetime, zone: ZoneInfo) -> Period:
        end = self.to or now.astimezone(zone).date() + timedelta(days=1)
        return _ordered(self.from_ or months_before(end, 12), end, self.from_ is not None)


class MonthsQuery(FiguresQuery):
    """From a month on and before another; without them, the last twelve months with this one."""

    from_: Month | None = Field(
        None, alias="from", description="first month of the period", examples=["2026-01"]
    )
    to: Month | None = Field(
        None, description="first month after the period: it is not part of it", examples=["2026-07"]
    )

    def period(self, now: datetime, zone: ZoneInfo) -> Period:
        end = self.to or months_before(now.astimezone(zone).date().replace(day=1), -1)
        return _ordered(self.from_ or months_before(end, 12), end, self.from_ is not None)


def _ordered(start: date, end: date, start_is_given: bool) -> Period:
    if start >= end:
        refuse("from" if start_is_given else "to", "period_empty", "`from` lies before `to`")
    return Period(start, end)


def months_before(day: date, months: int) -> date:
    """The same day of an earlier month (a later one, if negative), or the last day of a shorter month."""
    number = day.year * 12 + day.month - 1 - months
    first = date(number // 12, number % 12 + 1, 1)
    next_first = date((number + 1) // 12, (number + 1) % 12 + 1, 1)
    return min(first + timedelta(days=day.day - 1), next_first - timedelta(days=1))
