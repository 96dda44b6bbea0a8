"""What of the service's own facts is told to others, and in which words: ids and figures, no free text."""

from typing import assert_never
from uuid import UUID

from contracts import opportunities as public
from kernel.domain.recorded import Recorded

from opportunities.opportunity.events import (
    AmountChanged,
    ExpectedCloseChanged,
    OpportunityCreated,
    OpportunityEvent,
    OpportunityLost,
    OpportunityReassigned,
    OpportunityReopened,
    OpportunityWon,
    StageEntered,
    StageEntryVoided,
)
from opportunities.order.events import OrderCancelled, OrderEvent, OrderPlaced
from opportunities.pipeline.events import (
    PipelineDefined,
    PipelineEvent,
    PipelineRedefined,
    PipelineReinstated,
    PipelineRetired,
)


def publish(
    event: Recorded[PipelineEvent | OpportunityEvent | OrderEvent],
) -> public.OpportunitiesContract | None:
    fact = event.fact
    if isinstance(fact, PipelineEvent):
        return told_of_pipeline(event.stream_id, fact)
    if isinstance(fact, OpportunityEvent):
        return told_of_opportunity(event.stream_id, fact)
    return told_of_order(event.stream_id, fact)


def told_of_pipeline(pipeline_id: UUID, fact: PipelineEvent) -> public.PipelineDefined | None:
    match fact:
        case PipelineDefined() | PipelineRedefined():
            return public.PipelineDefined(
                pipeline_id=pipeline_id,
                pipeline_version=fact.pipeline_version,
                name=fact.name,
                stages=tuple(
                    public.Stage(
                        stage_id=stage.stage_id,
                        name=stage.name,
                        milestone=stage.milestone.value if stage.milestone else None,
                    )
                    for stage in fact.stages
                ),
            )
        case PipelineRetired() | PipelineReinstated():
            return None
        case _:
            assert_never(fact)


def told_of_opportunity(opportunity_id: UUID, fact: OpportunityEvent) -> public.OpportunitiesContract:
    match fact:
        case OpportunityCreated():
            return public.OpportunityCreated(
                opportunity_id=opportunity_id,
                pipeline_id=fact.pipeline_id,
                customer_id=fact.customer_id,
                source=fact.source,
                product=fact.product,
                owner_id=fact.owner_id,
                owner_team=fact.owner_team,
                amount_minor=fact.amount_minor,
                currency=fact.currency,
                expected_close=fact.expected_close,
            )
        case StageEntered():
            return public.StageEntered(
                opportunity_id=opportunity_id,
                entry=fact.entry,
                pipeline_id=fact.pipeline_id,
                pipeline_version=fact.pipeline_version,
                stage_id=fact.stage_id,
                stage_order=fact.stage_order,
                previous_stage_id=fact.previous_stage_id,
            )
        case StageEntryVoided():
            return public.StageEntryVoided(
                opportunity_id=opportunity_id, entry=fact.entry, stage_id=fact.stage_id
            )
        case AmountChanged():
            return public.AmountChanged(
                opportunity_id=opportunity_id,
                amount_minor=fact.amount_minor,
                currency=fact.currency,
                previous_amount_minor=fact.previous_amount_minor,
            )
        case ExpectedCloseChanged():
            return public.ExpectedCloseChanged(
                opportunity_id=opportunity_id,
                expected_close=fact.expected_close,
                previous_expected_close=fact.previous_expected_close,
            )
        case OpportunityReassigned():
            return public.OpportunityReassigned(
                opportunity_id=opportunity_id,
                owner_id=fact.owner_id,
                owner_team=fact.owner_team,
                previous_owner_id=fact.previous_owner_id,
                previous_owner_team=fact.previous_owner_team,
            )
        case OpportunityWon() | OpportunityLost() | OpportunityReopened():
            return told_of_outcome(opportunity_id, fact)
        case _:
            assert_never(fact)


def told_of_outcome(
    opportunity_id: UUID, fact: OpportunityWon | OpportunityLost | OpportunityReopened
) -> public.OpportunitiesContract:
    match fact:
        case OpportunityWon():
            return public.OpportunityWon(
                opportunity_id=opportunity_id,
                attempt=fact.attempt,
                amount_minor=fact.amount_minor,
                currency=fact.currency,
            )
        case OpportunityLost():
            return public.OpportunityLost(
                opportunity_id=opportunity_id,
                attempt=fact.attempt,
                reason=fact.reason,
                amount_minor=fact.amount_minor,
                currency=fact.currency,
            )
        case OpportunityReopened():
            return public.OpportunityReopened(opportunity_id=opportunity_id, attempt=fact.attempt)
        case _:
            assert_never(fact)


def told_of_order(order_id: UUID, fact: OrderEvent) -> public.OpportunitiesContract:
    match fact:
        case OrderPlaced():
            return public.OrderPlaced(
                order_id=order_id,
                customer_id=fact.customer_id,
                opportunity_id=fact.opportunity_id,
                owner_id=fact.owner_id,
                owner_team=fact.owner_team,
                currency=fact.currency,
                total_minor=fact.total_minor,
                lines=tuple(
                    public.OrderLine(
                        product=line.product,
                        quantity=line.quantity,
                        unit_price_minor=line.unit_price_minor,
                    )
                    for line in fact.lines
                ),
                product_cost_minor=fact.product_cost_minor,
                sales_cost_minor=fact.sales_cost_minor,
                service_cost_minor=fact.service_cost_minor,
            )
        case OrderCancelled():
            return public.OrderCancelled(
                order_id=order_id,
                customer_id=fact.customer_id,
                currency=fact.currency,
                total_minor=fact.total_minor,
                reason=fact.reason,
            )
        case _:
            assert_never(fact)
