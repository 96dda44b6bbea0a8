"""The complaint figures' question and answer as HTTP has them."""

from pydantic import Field

from analytics.answering import Basis, PeriodOut
from analytics.asking import DaysQuery
from analytics.service.semantics import DeskRow, Dimension, OpenRow


class ServiceQuery(DaysQuery):
    breakdown: Dimension = "all"
    daily: bool = Field(False, description="a row per day (of the zone) rather than one for the period")


class ServiceOut(Basis):
    view: str = Field("flow", examples=["flow"])
    period: PeriodOut
    breakdown: Dimension
    edges_hours: list[int] = Field(examples=[[1, 4, 8, 24, 48, 72, 168]])
    flow: tuple[DeskRow, ...]
    open: tuple[OpenRow, ...]
