"""The funnel's questions and answers as HTTP has them."""

from typing import Annotated, Literal
from uuid import UUID

from kernel.web.fields import MoneyField
from pydantic import BaseModel, Field

from analytics.answering import Basis, PeriodOut
from analytics.asking import DaysQuery
from analytics.funnel.cells import Attribution, Dimension, Mode

View = Literal["cohort", "snapshot", "closed"]
Rate = Annotated[float | None, Field(description="null where there is nothing to divide by", examples=[0.25])]
Share = Annotated[
    float | None,
    Field(
        description="null where there is nothing to divide by, and in a breakdown by owner or team with "
        "`attribution` at_step: there the two numbers may be of different owners' deals",
        examples=[0.25],
    ),
]


class FunnelQuery(DaysQuery):
    view: View = Field(
        "cohort",
        description="cohort: the deals that entered in the period and how far they came; "
        "snapshot: the open deals by stage; closed: the deals that were won or lost in the period",
    )
    pipeline_id: UUID | None = Field(None, description="may be left out while there is one pipeline")
    pipeline_version: int | None = Field(
        None, ge=1, description="the version whose order of stages counts; without it, the newest"
    )
    breakdown: Dimension = Field("all", description="`reason` (of a loss) is for `closed` alone")
    mode: Mode = Field(
        "reached",
        description="a step counts a deal that reached this stage or a later one; `touched` one that was in "
        "it; `strict` one that went through all stages up to it in their order. For `cohort`",
    )
    attribution: Attribution | None = Field(
        None,
        description="whose it is in a breakdown by owner or team: the owner at that step (so without it), at the "
        "entry, or now. A cohort's shares need one owner for both of their numbers: `entry` or `current`. A "
        "snapshot is always its present owner's",
    )
    window_days: int | None = Field(
        None,
        ge=1,
        le=3660,
        description="count what came within so many times 24 hours of the entry, and only deals as old as that. "
        "For `cohort`",
    )
    per_attempt: bool = Field(
        False, description="count every closing, also one that was reopened later. For `closed`"
    )


class FunnelBasis(Basis):
    pipeline_id: UUID
    pipeline_version: int = Field(description="the version whose stages these are")
    stages: str = Field(description="`as defined` by that version", examples=["as defined"])
    breakdown: Dimension


class StepOut(BaseModel):
    """`from_entry` is the share of the mature deals; `from_milestone` is the conversion since the milestone before,

    which `benchmark` is to be held against. With mode `touched`, `from_previous` and `from_milestone` are null:
    a deal need not have been in the stage before.
    """

    stage_id: str = Field(examples=["needs-confirmed"])
    name: str = Field(examples=["Needs confirmed"])
    n: int = Field(examples=[150])
    from_previous: Share
    from_entry: Share
    from_milestone: Share
    benchmark: float | None = Field(
        description="null for a stage that no benchmark speaks of", examples=[0.6]
    )


class CohortRow(BaseModel):
    """`value` of the breakdown; empty for all of them, and for those that have none."""

    value: str
    entered: int
    mature: int = Field(description="old enough for the window; all of them without one")
    won: int
    lost: int
    win_rate: Share
    steps: list[StepOut]


class FunnelCohortOut(FunnelBasis):
    view: Literal["cohort"] = "cohort"
    period: PeriodOut
    rows: list[CohortRow]


class SnapshotStageOut(BaseModel):
    """`name` is null for a stage that this version of the pipeline does not have."""

    stage_id: str
    name: str | None
    n: int
    value: list[MoneyField]


class SnapshotRow(BaseModel):
    value: str
    stages: list[SnapshotStageOut]


class FunnelSnapshotOut(FunnelBasis):
    view: Literal["snapshot"] = "snapshot"
    rows: list[SnapshotRow]


class ClosedRow(BaseModel):
    """`win_rate` = won / (won + lost) of the deals closed in the period."""

    value: str
    won: int
    lost: int
    win_rate: Rate
    won_value: list[MoneyField]
    lost_value: list[MoneyField]


class FunnelClosedOut(FunnelBasis):
    view: Literal["closed", "closed:per_attempt"] = "closed"
    period: PeriodOut
    rows: list[ClosedRow]


AnyFunnelOut = FunnelCohortOut | FunnelSnapshotOut | FunnelClosedOut
FunnelOut = Annotated[AnyFunnelOut, Field(discriminator="view")]
