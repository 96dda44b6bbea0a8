"""The sales figures' question and answer as HTTP has them."""

from kernel.web.fields import MoneyField
from pydantic import BaseModel, Field

from analytics.answering import Basis, PeriodOut
from analytics.asking import DaysQuery
from analytics.kpis.semantics import Dimension


class SalesQuery(DaysQuery):
    breakdown: Dimension = "all"


class SalesRow(BaseModel):
    """A row per value and currency. `cost_ratio` = cost / sales, of the sums (product, sales and service cost)."""

    value: str
    orders: int
    sales: MoneyField
    cost: MoneyField
    cost_ratio: float | None = Field(examples=[0.5])


class SalesOut(Basis):
    view: str = Field("sales", examples=["sales"])
    period: PeriodOut
    breakdown: Dimension
    rows: list[SalesRow]
