"""The specification of a deal's end, and of its second beginning."""

from dataclasses import replace

import pytest
from kernel.domain.errors import Conflict, Invalid
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
from opportunities.opportunity.events import AmountChanged, OpportunityEvent, OpportunityReopened

from tests.opportunities.examples import (
    AMOUNT_UNKNOWN,
    CREATED,
    GRACE,
    IN_LEAD,
    LOST,
    PIPELINE,
    REOPENED,
    SPRING,
    TALK_VOIDED,
    THEN_OFFER,
    THEN_TALK,
    WON,
    entered,
)
from tests.opportunities.examples import LEAD as LEAD_STAGE
from tests.opportunities.examples import TALK as TALK_STAGE

given = Spec(opportunity_decider.under(PIPELINE)).given
OPEN: tuple[OpportunityEvent, ...] = (CREATED, IN_LEAD, THEN_TALK)


def test_a_deal_is_won_for_the_amount_it_has() -> None:
    given(*OPEN).when(WinOpportunity()).then(WON)


def test_a_deal_won_for_another_amount_has_that_amount_first() -> None:
    given(*OPEN).when(WinOpportunity(amount=Money(450_00, "CNY"))).then(
        AmountChanged(amount_minor=450_00, currency="CNY", previous_amount_minor=500_00),
        replace(WON, amount_minor=450_00),
    )


def test_a_deal_without_an_amount_is_not_won_for_nothing_by_accident() -> None:
    unknown = given(*OPEN, AMOUNT_UNKNOWN)
    unknown.when(WinOpportunity()).then_refused(Conflict, "AMOUNT_MISSING")
    unknown.when(WinOpportunity(amount=Money(0, "CNY"))).then(
        AmountChanged(amount_minor=0, currency="CNY", previous_amount_minor=None),
        replace(WON, amount_minor=0),
    )


def test_winning_twice_is_winning_once() -> None:
    given(*OPEN, WON).when(WinOpportunity()).then_nothing()
    given(*OPEN, WON).when(WinOpportunity(amount=Money(500_00, "CNY"))).then_nothing()


def test_a_deal_is_not_won_again_for_another_amount() -> None:
    given(*OPEN, WON).when(WinOpportunity(amount=Money(1, "CNY"))).then_refused(
        Conflict, "OPPORTUNITY_CLOSED"
    )


def test_a_deal_is_lost_for_a_reason_from_any_stage() -> None:
    lose = LoseOpportunity(reason="price", note="Mei found it dear.")
    for history in ((CREATED, IN_LEAD), OPEN, (*OPEN, THEN_OFFER), (*OPEN, TALK_VOIDED)):
        given(*history).when(lose).then(LOST)


def test_a_lost_deal_tells_the_amount_that_was_lost_if_any() -> None:
    given(*OPEN, AMOUNT_UNKNOWN).when(LoseOpportunity(reason="price")).then(
        replace(LOST, amount_minor=None, note=None)
    )


def test_losing_twice_for_the_same_reason_is_losing_once() -> None:
    given(*OPEN, LOST).when(LoseOpportunity(reason="price")).then_nothing()
    given(*OPEN, LOST).when(LoseOpportunity(reason="timing")).then_refused(Conflict, "OPPORTUNITY_CLOSED")


@pytest.mark.parametrize("reason", ["", "Too dear", "x" * 65])
def test_a_reason_is_a_slug(reason: str) -> None:
    given(*OPEN).when(LoseOpportunity(reason=reason)).then_refused(Invalid)


def test_a_note_may_have_paragraphs_but_not_be_a_book() -> None:
    given(*OPEN).when(LoseOpportunity(reason="price", note="Dear.\nVery dear.")).then(
        replace(LOST, note="Dear.\nVery dear.")
    )
    for note in ("", "x" * 2_001, "nul\x00"):
        given(*OPEN).when(LoseOpportunity(reason="price", note=note)).then_refused(Invalid)


def test_a_won_deal_is_lost_only_after_it_was_reopened() -> None:
    given(*OPEN, WON).when(LoseOpportunity(reason="price")).then_refused(Conflict, "OPPORTUNITY_CLOSED")
    given(*OPEN, WON, REOPENED).when(LoseOpportunity(reason="price", note=LOST.note)).then(
        replace(LOST, attempt=2)
    )


def test_a_lost_deal_is_won_only_after_it_was_reopened() -> None:
    given(*OPEN, LOST).when(WinOpportunity()).then_refused(Conflict, "OPPORTUNITY_CLOSED")
    given(*OPEN, LOST, REOPENED).when(WinOpportunity()).then(replace(WON, attempt=2))


@pytest.mark.parametrize("end", [WON, LOST])
@pytest.mark.parametrize(
    "command",
    [
        EnterStage(stage_id="offer"),
        VoidStageEntry(entry=2),
        ChangeAmount(amount=None),
        ChangeExpectedClose(expected_close=SPRING),
        ReassignOpportunity(owner_id=GRACE, owner_team=None),
    ],
)
def test_a_closed_deal_does_not_change(end: OpportunityEvent, command: OpportunityCommand) -> None:
    given(*OPEN, end).when(command).then_refused(Conflict, "OPPORTUNITY_CLOSED")


def test_a_closed_deal_agrees_to_what_is_so_already() -> None:
    given(*OPEN, WON).when(EnterStage(stage_id="talk")).then_nothing()
    given(*OPEN, TALK_VOIDED, LOST).when(VoidStageEntry(entry=2)).then_nothing()


def test_reopening_begins_the_next_attempt() -> None:
    given(*OPEN, WON).when(ReopenOpportunity()).then(REOPENED)
    given(*OPEN, LOST).when(ReopenOpportunity()).then(REOPENED)
    given(*OPEN, LOST, REOPENED, replace(LOST, attempt=2)).when(ReopenOpportunity()).then(
        OpportunityReopened(attempt=3)
    )


def test_reopening_an_open_deal_is_nothing() -> None:
    given(*OPEN).when(ReopenOpportunity()).then_nothing()


def test_a_reopened_deal_is_back_in_the_stage_it_was_in() -> None:
    reopened = given(*OPEN, LOST, REOPENED)
    reopened.when(EnterStage(stage_id="talk")).then_nothing()
    reopened.when(EnterStage(stage_id="lead")).then(entered(3, LEAD_STAGE, 0, TALK_STAGE))


def test_a_reopened_deal_forgets_why_it_was_lost() -> None:
    given(*OPEN, LOST, REOPENED).when(LoseOpportunity(reason="price")).then(
        replace(LOST, attempt=2, note=None)
    )
