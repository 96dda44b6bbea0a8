"""What the service tells of each of its facts, and what it keeps to itself."""

from dataclasses import fields
from typing import get_args
from uuid import UUID

import pytest
from contracts import opportunities as public
from opportunities.opportunity.events import ExpectedCloseChanged, OpportunityEvent, OpportunityReassigned
from opportunities.order.events import OrderEvent
from opportunities.pipeline.events import PipelineEvent, PipelineReinstated, PipelineRetired
from opportunities.publishing import publish

from tests.opportunities.examples import (
    ADA,
    AMOUNT_UNKNOWN,
    CANCELLED,
    CREATED,
    DEAL_ID,
    DEFINED,
    GRACE,
    HARBOUR_LTD,
    LOST,
    NEW_YEAR,
    ORDER_ID,
    PIPELINE_ID,
    PLACED,
    REDEFINED,
    REOPENED,
    SPRING,
    TALK_VOIDED,
    THEN_TALK,
    WON,
    recorded,
)

Fact = PipelineEvent | OpportunityEvent | OrderEvent
RESCHEDULED = ExpectedCloseChanged(expected_close=SPRING, previous_expected_close=NEW_YEAR)
REASSIGNED = OpportunityReassigned(
    owner_id=GRACE, owner_team="south", previous_owner_id=ADA, previous_owner_team="north"
)
FACTS: list[tuple[UUID, Fact]] = [
    (PIPELINE_ID, DEFINED),
    (PIPELINE_ID, REDEFINED),
    (DEAL_ID, CREATED),
    (DEAL_ID, THEN_TALK),
    (DEAL_ID, TALK_VOIDED),
    (DEAL_ID, AMOUNT_UNKNOWN),
    (DEAL_ID, RESCHEDULED),
    (DEAL_ID, REASSIGNED),
    (DEAL_ID, WON),
    (DEAL_ID, LOST),
    (DEAL_ID, REOPENED),
    (ORDER_ID, PLACED),
    (ORDER_ID, CANCELLED),
]
KEPT: list[Fact] = [PipelineRetired(), PipelineReinstated()]


def test_every_kind_of_fact_and_every_contract_has_its_example_here() -> None:
    kinds = {type(fact) for _, fact in FACTS} | {type(fact) for fact in KEPT}
    assert kinds == set(get_args(Fact))
    told = {type(publish(recorded(stream_id, fact))) for stream_id, fact in FACTS}
    assert told == set(get_args(public.OpportunitiesContract))


@pytest.mark.parametrize(("stream_id", "fact"), FACTS, ids=lambda value: type(value).__name__)
def test_a_contract_carries_the_stream_as_its_id_and_the_fact_word_for_word(
    stream_id: UUID, fact: Fact
) -> None:
    contract = publish(recorded(stream_id, fact))
    assert contract is not None
    identity, *others = [field.name for field in fields(contract)]
    assert getattr(contract, identity) == stream_id
    for name in others:
        if name not in ("stages", "lines"):
            assert getattr(contract, name) == getattr(fact, name), name


def test_every_definition_of_a_pipeline_is_told_whole() -> None:
    assert publish(recorded(PIPELINE_ID, REDEFINED)) == public.PipelineDefined(
        pipeline_id=PIPELINE_ID,
        pipeline_version=2,
        name="Direct sales",
        stages=(
            public.Stage(stage_id="lead", name="Lead", milestone="lead"),
            public.Stage(stage_id="trial", name="Trial", milestone=None),
            public.Stage(stage_id="offer", name="Offer", milestone="needs_confirmed"),
            public.Stage(stage_id="signed", name="Signed", milestone="signed"),
        ),
    )


def test_an_order_is_told_with_its_lines() -> None:
    assert publish(recorded(ORDER_ID, PLACED)) == public.OrderPlaced(
        order_id=ORDER_ID,
        customer_id=HARBOUR_LTD,
        opportunity_id=DEAL_ID,
        owner_id=ADA,
        owner_team="north",
        currency="CNY",
        total_minor=500_00,
        lines=(
            public.OrderLine(product="pump", quantity=2, unit_price_minor=200_00),
            public.OrderLine(product="hose", quantity=1, unit_price_minor=100_00),
        ),
        product_cost_minor=300_00,
        sales_cost_minor=20_00,
        service_cost_minor=10_00,
    )


@pytest.mark.parametrize("fact", KEPT, ids=lambda value: type(value).__name__)
def test_whether_a_pipeline_takes_new_deals_is_the_services_own_business(fact: Fact) -> None:
    assert publish(recorded(PIPELINE_ID, fact)) is None


@pytest.mark.parametrize("fact", [CREATED, LOST], ids=lambda value: type(value).__name__)
def test_no_word_about_a_person_is_told(fact: OpportunityEvent) -> None:
    assert "Mei" in repr(fact)
    assert "Mei" not in repr(publish(recorded(DEAL_ID, fact)))
