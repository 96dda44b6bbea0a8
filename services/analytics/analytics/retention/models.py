"""Retention's question and answer as HTTP has them."""

from typing import Annotated, Literal

from kernel.web.fields import MoneyField
from pydantic import BaseModel, Field

from analytics.answering import Basis, PeriodOut
from analytics.asking import MonthsQuery

Mode = Literal["on", "unbounded", "both"]
Rate = Annotated[float | None, Field(description="of the cohort's customers", examples=[0.42])]


class RetentionQuery(MonthsQuery):
    mode: Mode = Field(
        "both",
        description="on: bought in that month; unbounded: in that month or any later one; or both",
    )


class RetentionMonth(BaseModel):
    """`offset` months after the first purchase. `complete`: the month is over; the unbounded figures of any
    offset but 0 may rise even then, because whoever was not seen since may yet return.
    """

    offset: int
    on: int | None
    on_rate: Rate
    unbounded: int | None
    unbounded_rate: Rate
    complete: bool
    revenue: list[MoneyField]


class RetentionCohort(BaseModel):
    """The customers whose first purchase that still counts lies in this month."""

    month: str = Field(examples=["2026-01"])
    size: int
    months: list[RetentionMonth]


class RetentionShare(BaseModel):
    """All cohorts together, of those for which the month `offset` is over."""

    offset: int
    customers: int
    on_rate: Rate
    unbounded_rate: Rate


class RetentionOut(Basis):
    view: str = Field("first_purchase:calendar_month", examples=["first_purchase:calendar_month"])
    period: PeriodOut
    cohorts: list[RetentionCohort]
    shares: list[RetentionShare]
