"""Named people, pipelines and facts that the tests of this service tell their stories with."""

from datetime import UTC, date, datetime
from typing import TypeVar
from uuid import UUID

from kernel.domain.money import Money
from kernel.domain.provenance import Provenance
from kernel.domain.recorded import Recorded
from opportunities.opportunity.commands import CreateOpportunity
from opportunities.opportunity.events import (
    AmountChanged,
    OpportunityCreated,
    OpportunityLost,
    OpportunityReopened,
    OpportunityWon,
    StageEntered,
    StageEntryVoided,
)
from opportunities.order.commands import PlaceOrder
from opportunities.order.events import OrderCancelled, OrderLine, OrderPlaced
from opportunities.pipeline.decider import pipeline_decider
from opportunities.pipeline.events import (
    Milestone,
    PipelineDefined,
    PipelineRedefined,
    PipelineRetired,
    Stage,
)

Fact = TypeVar("Fact")

PIPELINE_ID = UUID("01900000-0000-7000-8000-000000000001")
DEAL_ID = UUID("01900000-0000-7000-8000-000000000002")
ORDER_ID = UUID("01900000-0000-7000-8000-000000000003")
HARBOUR_LTD = UUID("01900000-0000-7000-8000-000000000010")
MEI = UUID("01900000-0000-7000-8000-000000000011")
ADA = UUID("01900000-0000-7000-8000-000000000020")
GRACE = UUID("01900000-0000-7000-8000-000000000021")

NEW_YEAR = date(2026, 1, 1)
SPRING = date(2026, 3, 20)
NINE = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)

LEAD = Stage(stage_id="lead", name="Lead", milestone=Milestone.LEAD)
TALK = Stage(stage_id="talk", name="Talk")
OFFER = Stage(stage_id="offer", name="Offer", milestone=Milestone.NEEDS_CONFIRMED)
SIGNED = Stage(stage_id="signed", name="Signed", milestone=Milestone.SIGNED)
TRIAL = Stage(stage_id="trial", name="Trial")

DEFINED = PipelineDefined(pipeline_version=1, name="Direct sales", stages=(LEAD, TALK, OFFER, SIGNED))
REDEFINED = PipelineRedefined(
    pipeline_version=2,
    name="Direct sales",
    stages=(LEAD, TRIAL, OFFER, SIGNED),
    previous_name="Direct sales",
    previous_stages=(LEAD, TALK, OFFER, SIGNED),
)
PIPELINE = pipeline_decider.fold([DEFINED])
NEXT_PIPELINE = pipeline_decider.fold([DEFINED, REDEFINED])
RETIRED_PIPELINE = pipeline_decider.fold([DEFINED, PipelineRetired()])

CREATE = CreateOpportunity(
    pipeline_id=PIPELINE_ID,
    customer_id=HARBOUR_LTD,
    person_id=MEI,
    title="Pumps for Mei Lin",
    source="trade fair",
    product="pump",
    owner_id=ADA,
    owner_team="north",
    amount=Money(500_00, "CNY"),
    currency="CNY",
    expected_close=NEW_YEAR,
)
CREATED = OpportunityCreated(
    pipeline_id=PIPELINE_ID,
    customer_id=HARBOUR_LTD,
    person_id=MEI,
    title="Pumps for Mei Lin",
    source="trade fair",
    product="pump",
    owner_id=ADA,
    owner_team="north",
    amount_minor=500_00,
    currency="CNY",
    expected_close=NEW_YEAR,
)


def entered(
    entry: int, stage: Stage, order: int, previous: Stage | None, *, version: int = 1
) -> StageEntered:
    return StageEntered(
        entry=entry,
        pipeline_id=PIPELINE_ID,
        pipeline_version=version,
        stage_id=stage.stage_id,
        stage_order=order,
        previous_stage_id=previous.stage_id if previous else None,
    )


IN_LEAD = entered(1, LEAD, 0, None)
THEN_TALK = entered(2, TALK, 1, LEAD)
THEN_OFFER = entered(3, OFFER, 2, TALK)
TALK_VOIDED = StageEntryVoided(entry=2, stage_id="talk")
AMOUNT_UNKNOWN = AmountChanged(amount_minor=None, currency="CNY", previous_amount_minor=500_00)
WON = OpportunityWon(attempt=1, amount_minor=500_00, currency="CNY")
LOST = OpportunityLost(
    attempt=1, reason="price", amount_minor=500_00, currency="CNY", person_id=MEI, note="Mei found it dear."
)
REOPENED = OpportunityReopened(attempt=2)

PUMPS = OrderLine(product="pump", quantity=2, unit_price_minor=200_00)
HOSE = OrderLine(product="hose", quantity=1, unit_price_minor=100_00)
PLACE = PlaceOrder(
    customer_id=HARBOUR_LTD,
    opportunity_id=DEAL_ID,
    owner_id=ADA,
    owner_team="north",
    currency="CNY",
    lines=(PUMPS, HOSE),
    product_cost_minor=300_00,
    sales_cost_minor=20_00,
    service_cost_minor=10_00,
)
PLACED = OrderPlaced(
    customer_id=HARBOUR_LTD,
    opportunity_id=DEAL_ID,
    owner_id=ADA,
    owner_team="north",
    currency="CNY",
    total_minor=500_00,
    lines=(PUMPS, HOSE),
    product_cost_minor=300_00,
    sales_cost_minor=20_00,
    service_cost_minor=10_00,
)
CANCELLED = OrderCancelled(customer_id=HARBOUR_LTD, currency="CNY", total_minor=500_00, reason="changed-mind")


def recorded(stream_id: UUID, fact: Fact) -> Recorded[Fact]:
    return Recorded(
        fact=fact,
        stream_id=stream_id,
        version=1,
        position=1,
        event_id=UUID("01900000-0000-7000-8000-0000000000ff"),
        occurred_at=NINE,
        recorded_at=NINE,
        provenance=Provenance(actor="ada", command_id=stream_id, correlation_id="story"),
    )
