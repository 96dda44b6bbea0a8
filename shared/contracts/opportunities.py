"""What the opportunities service tells: pipelines, deals and orders. Amounts are integer minor units.

Names of classes and fields are promises to subscribers; they change by addition alone.
"""

from dataclasses import dataclass
from datetime import date
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """`milestone` maps the stage to a benchmark: lead, first_contact, needs_confirmed,
    proposal_accepted, signed.
    """

    stage_id: str
    name: str
    milestone: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineDefined:
    """The stages in their order, from version 1; a stage keeps its id for ever, its place may change."""

    pipeline_id: UUID
    pipeline_version: int
    name: str
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpportunityCreated:
    opportunity_id: UUID
    pipeline_id: UUID
    customer_id: UUID | None
    source: str | None
    product: str | None
    owner_id: UUID | None
    owner_team: str | None
    amount_minor: int | None
    currency: str
    expected_close: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageEntered:
    """`entry` numbers the deal's stage entries from 1; `stage_order` is its place (from 0) then."""

    opportunity_id: UUID
    entry: int
    pipeline_id: UUID
    pipeline_version: int
    stage_id: str
    stage_order: int
    previous_stage_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageEntryVoided:
    """The entry was a wrong click: it never counted."""

    opportunity_id: UUID
    entry: int
    stage_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AmountChanged:
    opportunity_id: UUID
    amount_minor: int | None
    currency: str
    previous_amount_minor: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedCloseChanged:
    opportunity_id: UUID
    expected_close: date | None
    previous_expected_close: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpportunityReassigned:
    opportunity_id: UUID
    owner_id: UUID | None
    owner_team: str | None
    previous_owner_id: UUID | None
    previous_owner_team: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpportunityWon:
    """`attempt` counts from 1 and rises with each reopening."""

    opportunity_id: UUID
    attempt: int
    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpportunityLost:
    opportunity_id: UUID
    attempt: int
    reason: str
    amount_minor: int | None
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpportunityReopened:
    opportunity_id: UUID
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    product: str
    quantity: int
    unit_price_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPlaced:
    """`total_minor` is the sum of the lines; the three costs are those of the order cost ratio."""

    order_id: UUID
    customer_id: UUID
    opportunity_id: UUID | None
    owner_id: UUID | None
    owner_team: str | None
    currency: str
    total_minor: int
    lines: tuple[OrderLine, ...]
    product_cost_minor: int
    sales_cost_minor: int
    service_cost_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCancelled:
    order_id: UUID
    customer_id: UUID
    currency: str
    total_minor: int
    reason: str


OpportunitiesContract = (
    PipelineDefined
    | OpportunityCreated
    | StageEntered
    | StageEntryVoided
    | AmountChanged
    | ExpectedCloseChanged
    | OpportunityReassigned
    | OpportunityWon
    | OpportunityLost
    | OpportunityReopened
    | OrderPlaced
    | OrderCancelled
)
