"""The specification of a deal: stages, figures and the person in charge."""

from dataclasses import replace

import pytest
from kernel.domain.errors import Conflict, Invalid, NotFound
from kernel.domain.money import Money
from kernel.testing.specs import Spec
from opportunities.opportunity.commands import (
    ChangeAmount,
    ChangeExpectedClose,
    EnterStage,
    LoseOpportunity,
    OpportunityCommand,
    ReassignOpportunity,
    ReopenOpportunity,
    VoidStageEntry,
    WinOpportunity,
)
from opportunities.opportunity.decider import opportunity_decider
from opportunities.opportunity.events import (
    AmountChanged,
    ExpectedCloseChanged,
    OpportunityReassigned,
    StageEntryVoided,
)
from opportunities.pipeline.decider import Pipeline

from tests.opportunities.examples import (
    ADA,
    CREATE,
    CREATED,
    GRACE,
    IN_LEAD,
    LEAD,
    NEXT_PIPELINE,
    OFFER,
    PIPELINE,
    RETIRED_PIPELINE,
    SIGNED,
    SPRING,
    TALK,
    TALK_VOIDED,
    THEN_OFFER,
    THEN_TALK,
    TRIAL,
    entered,
)

given = Spec(opportunity_decider.under(PIPELINE)).given
given_next = Spec(opportunity_decider.under(NEXT_PIPELINE)).given
given_retired = Spec(opportunity_decider.under(RETIRED_PIPELINE)).given
given_no_pipeline = Spec(opportunity_decider.under(Pipeline())).given


def test_a_deal_begins_in_the_first_stage_of_its_pipeline() -> None:
    given().when(CREATE).then(CREATED, IN_LEAD)


def test_a_deal_may_begin_in_any_stage() -> None:
    given().when(replace(CREATE, stage_id="offer")).then(CREATED, entered(1, OFFER, 2, None))


def test_a_deal_needs_a_pipeline_that_takes_deals() -> None:
    given_no_pipeline().when(CREATE).then_refused(NotFound, "PIPELINE_NOT_FOUND")
    given_retired().when(CREATE).then_refused(Conflict, "PIPELINE_RETIRED")
    given().when(replace(CREATE, stage_id="dream")).then_refused(Invalid, "STAGE_UNKNOWN")


def test_a_deal_is_created_once() -> None:
    given(CREATED, IN_LEAD).when(CREATE).then_refused(Conflict, "OPPORTUNITY_EXISTS")


def test_a_deal_may_have_no_amount_yet_but_has_a_currency() -> None:
    given().when(replace(CREATE, amount=None)).then(replace(CREATED, amount_minor=None), IN_LEAD)
    given().when(replace(CREATE, currency="USD")).then_refused(Invalid, "CURRENCY_MISMATCH")
    given().when(replace(CREATE, amount=None, currency="yuan")).then_refused(Invalid, "CURRENCY_INVALID")


def test_a_deal_may_be_worth_nothing_but_not_less() -> None:
    given().when(replace(CREATE, amount=Money(0, "CNY"))).then(replace(CREATED, amount_minor=0), IN_LEAD)
    for minor in (-1, 2**53):
        given().when(replace(CREATE, amount=Money(minor, "CNY"))).then_refused(Invalid, "AMOUNT_INVALID")


@pytest.mark.parametrize("text", ["", " ", "x" * 201, "two\nlines", "nul\x00"])
def test_what_a_deal_is_called_fits_on_a_line(text: str) -> None:
    given().when(replace(CREATE, title=text)).then_refused(Invalid)
    given().when(replace(CREATE, source=text)).then_refused(Invalid)
    given().when(replace(CREATE, product=text)).then_refused(Invalid)
    given().when(replace(CREATE, owner_team=text)).then_refused(Invalid)


def test_a_deal_moves_forward_skips_and_moves_back() -> None:
    given(CREATED, IN_LEAD).when(EnterStage(stage_id="talk")).then(THEN_TALK)
    given(CREATED, IN_LEAD).when(EnterStage(stage_id="signed")).then(entered(2, SIGNED, 3, LEAD))
    given(CREATED, IN_LEAD, THEN_TALK).when(EnterStage(stage_id="lead")).then(entered(3, LEAD, 0, TALK))


def test_entering_the_stage_it_is_in_is_nothing() -> None:
    given(CREATED, IN_LEAD).when(EnterStage(stage_id="lead")).then_nothing()


def test_a_stage_must_be_one_of_the_pipeline() -> None:
    given(CREATED, IN_LEAD).when(EnterStage(stage_id="dream")).then_refused(Invalid, "STAGE_UNKNOWN")
    given_no_pipeline(CREATED, IN_LEAD).when(EnterStage(stage_id="talk")).then_refused(
        NotFound, "PIPELINE_NOT_FOUND"
    )


def test_an_entry_keeps_the_version_under_which_it_was_decided() -> None:
    given_next(CREATED, IN_LEAD, THEN_TALK).when(EnterStage(stage_id="trial")).then(
        entered(3, TRIAL, 1, TALK, version=2)
    )


def test_a_stage_that_left_the_pipeline_is_not_entered_but_a_deal_may_stay_in_it() -> None:
    given_next(CREATED, IN_LEAD).when(EnterStage(stage_id="talk")).then_refused(Invalid, "STAGE_UNKNOWN")
    given_next(CREATED, IN_LEAD, THEN_TALK).when(EnterStage(stage_id="talk")).then_nothing()


def test_deals_in_a_retired_pipeline_go_on() -> None:
    given_retired(CREATED, IN_LEAD).when(EnterStage(stage_id="talk")).then(THEN_TALK)


def test_a_wrong_click_is_voided() -> None:
    given(CREATED, IN_LEAD, THEN_TALK).when(VoidStageEntry(entry=2)).then(TALK_VOIDED)


def test_voiding_the_current_entry_returns_the_deal_to_the_latest_that_counts() -> None:
    story = given(CREATED, IN_LEAD, THEN_TALK, THEN_OFFER, TALK_VOIDED)
    assert story.state.stage_id == "offer"
    story.when(VoidStageEntry(entry=3)).then(StageEntryVoided(entry=3, stage_id="offer"))
    story.when(VoidStageEntry(entry=3), EnterStage(stage_id="lead")).then_nothing()


def test_entry_numbers_are_never_used_again() -> None:
    given(CREATED, IN_LEAD, THEN_TALK, TALK_VOIDED).when(EnterStage(stage_id="talk")).then(
        entered(3, TALK, 1, LEAD)
    )


def test_the_first_entry_may_be_voided_once_there_is_another() -> None:
    given(CREATED, IN_LEAD, THEN_TALK).when(VoidStageEntry(entry=1)).then(
        StageEntryVoided(entry=1, stage_id="lead")
    )


def test_the_only_entry_left_cannot_be_voided() -> None:
    given(CREATED, IN_LEAD).when(VoidStageEntry(entry=1)).then_refused(Conflict, "STAGE_ENTRY_ONLY")
    given(CREATED, IN_LEAD, THEN_TALK, TALK_VOIDED).when(VoidStageEntry(entry=1)).then_refused(
        Conflict, "STAGE_ENTRY_ONLY"
    )


def test_voiding_twice_is_voiding_once() -> None:
    given(CREATED, IN_LEAD, THEN_TALK, TALK_VOIDED).when(VoidStageEntry(entry=2)).then_nothing()


@pytest.mark.parametrize("entry", [-1, 0, 3])
def test_an_entry_that_never_was_cannot_be_voided(entry: int) -> None:
    given(CREATED, IN_LEAD, THEN_TALK).when(VoidStageEntry(entry=entry)).then_refused(
        NotFound, "STAGE_ENTRY_NOT_FOUND"
    )


def test_a_changed_amount_tells_the_old_and_the_new() -> None:
    given(CREATED, IN_LEAD).when(ChangeAmount(amount=Money(700_00, "CNY"))).then(
        AmountChanged(amount_minor=700_00, currency="CNY", previous_amount_minor=500_00)
    )
    given(CREATED, IN_LEAD).when(ChangeAmount(amount=None)).then(
        AmountChanged(amount_minor=None, currency="CNY", previous_amount_minor=500_00)
    )
    given(CREATED, IN_LEAD).when(ChangeAmount(amount=Money(500_00, "CNY"))).then_nothing()


def test_a_deal_keeps_its_currency() -> None:
    for command in (ChangeAmount(amount=Money(1, "USD")), WinOpportunity(amount=Money(1, "USD"))):
        given(CREATED, IN_LEAD).when(command).then_refused(Invalid, "CURRENCY_MISMATCH")


def test_a_changed_close_date_tells_the_old_and_the_new() -> None:
    given(CREATED, IN_LEAD).when(ChangeExpectedClose(expected_close=SPRING)).then(
        ExpectedCloseChanged(expected_close=SPRING, previous_expected_close=CREATED.expected_close)
    )
    given(CREATED, IN_LEAD).when(ChangeExpectedClose(expected_close=CREATED.expected_close)).then_nothing()


def test_a_reassignment_tells_who_had_the_deal_before() -> None:
    given(CREATED, IN_LEAD).when(ReassignOpportunity(owner_id=GRACE, owner_team="south")).then(
        OpportunityReassigned(
            owner_id=GRACE, owner_team="south", previous_owner_id=ADA, previous_owner_team="north"
        )
    )
    given(CREATED, IN_LEAD).when(ReassignOpportunity(owner_id=ADA, owner_team="north")).then_nothing()
    given(CREATED, IN_LEAD).when(ReassignOpportunity(owner_id=ADA, owner_team=" ")).then_refused(Invalid)


@pytest.mark.parametrize(
    "command",
    [
        EnterStage(stage_id="lead"),
        VoidStageEntry(entry=1),
        ChangeAmount(amount=None),
        ChangeExpectedClose(expected_close=None),
        ReassignOpportunity(owner_id=None, owner_team=None),
        WinOpportunity(),
        LoseOpportunity(reason="price"),
        ReopenOpportunity(),
    ],
)
def test_nothing_happens_to_a_deal_that_does_not_exist(command: OpportunityCommand) -> None:
    given().when(command).then_refused(NotFound, "NOT_FOUND")
