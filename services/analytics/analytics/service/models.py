"""The complaint figures' question and answer as HTTP has them."""

from typing import Annotated

from pydantic import BaseModel, Field

from analytics.answering import Basis, PeriodOut
from analytics.asking import DaysQuery
from analytics.service.semantics import Dimension

Rate = Annotated[float | None, Field(description="null where there is nothing to divide by", examples=[0.9])]


class ServiceQuery(DaysQuery):
    breakdown: Dimension = "all"
    daily: bool = Field(False, description="a row per day (of the zone) rather than one for the period")


class FlowRow(BaseModel):
    """What happened, under the owner of each moment. `met_rate` = met / (met + late), of promised replies;
    `replies` are counted by the hours since the registration, up to each of `edges_hours` and beyond the last.
    """

    day: str = Field(description="empty unless daily")
    value: str
    registered: int
    replied: int
    met: int
    late: int
    met_rate: Rate
    resolved: int
    reopened: int
    reopen_rate: Rate
    confirmed: int
    closed: int
    replies: list[int]
    within_day: Rate


class OpenRow(BaseModel):
    """Now, under the present owner: `late` of the `unanswered`; `unclosed` are resolved and not closed."""

    value: str
    open: int
    unanswered: int
    late: int
    unclosed: int


class ServiceOut(Basis):
    view: str = Field("flow", examples=["flow"])
    period: PeriodOut
    breakdown: Dimension
    edges_hours: list[int] = Field(examples=[[1, 4, 8, 24, 48, 72, 168]])
    flow: list[FlowRow]
    open: list[OpenRow]
