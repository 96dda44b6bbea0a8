"""The rules of a deal, decided under the pipeline it is in."""

from collections.abc import Sequence
from typing import assert_never

from kernel.domain.decider import RuledDecider
from kernel.domain.errors import Conflict, Invalid, NotFound
from kernel.domain.money import Money

from opportunities.guards import must_be_amount, must_be_currency, must_be_line, must_be_slug, must_be_text
from opportunities.opportunity.commands import (
    ChangeAmount,
    ChangeExpectedClose,
    CreateOpportunity,
    EnterStage,
    LoseOpportunity,
    OpportunityCommand,
    ReassignOpportunity,
    ReopenOpportunity,
    VoidStageEntry,
    WinOpportunity,
)
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
from opportunities.opportunity.state import (
    Opportunity,
    Status,
    deal_must_be_open,
    deal_must_exist,
    evolve,
)
from opportunities.pipeline.decider import Pipeline, pipeline_must_exist, pipeline_must_take_deals


def decide(deal: Opportunity, command: OpportunityCommand, pipeline: Pipeline) -> Sequence[OpportunityEvent]:
    match command:
        case CreateOpportunity():
            return create(deal, command, pipeline)
        case EnterStage():
            return enter_stage(deal, command, pipeline)
        case VoidStageEntry():
            return void_stage_entry(deal, command)
        case ChangeAmount():
            return change_amount(deal, command)
        case ChangeExpectedClose():
            return change_expected_close(deal, command)
        case ReassignOpportunity():
            return reassign(deal, command)
        case WinOpportunity():
            return win(deal, command)
        case LoseOpportunity():
            return lose(deal, command)
        case ReopenOpportunity():
            return reopen(deal)
        case _:
            assert_never(command)


def create(deal: Opportunity, command: CreateOpportunity, pipeline: Pipeline) -> Sequence[OpportunityEvent]:
    if deal.status is not Status.MISSING:
        raise Conflict("There is an opportunity with this id already.", code="OPPORTUNITY_EXISTS")
    pipeline_must_take_deals(pipeline)
    must_be_line("title", command.title, most=200)
    must_be_line("source", command.source)
    must_be_line("product", command.product)
    must_be_line("owner_team", command.owner_team)
    must_be_currency(command.currency)
    created = OpportunityCreated(
        pipeline_id=command.pipeline_id,
        customer_id=command.customer_id,
        person_id=command.person_id,
        title=command.title,
        source=command.source,
        product=command.product,
        owner_id=command.owner_id,
        owner_team=command.owner_team,
        amount_minor=minor_units(command.amount, command.currency),
        currency=command.currency,
        expected_close=command.expected_close,
    )
    first_stage = pipeline.stages[0].stage_id if command.stage_id is None else command.stage_id
    return [created, entry_into(first_stage, evolve(deal, created), pipeline)]


def enter_stage(deal: Opportunity, command: EnterStage, pipeline: Pipeline) -> Sequence[OpportunityEvent]:
    deal_must_exist(deal)
    if deal.stage_id == command.stage_id:
        return []
    deal_must_be_open(deal)
    pipeline_must_exist(pipeline)
    return [entry_into(command.stage_id, deal, pipeline)]


def void_stage_entry(deal: Opportunity, command: VoidStageEntry) -> Sequence[OpportunityEvent]:
    deal_must_exist(deal)
    if not 1 <= command.entry <= deal.last_entry:
        raise NotFound("There is no such stage entry.", code="STAGE_ENTRY_NOT_FOUND", entry=command.entry)
    counting = dict(deal.entries)
    if command.entry not in counting:
        return []
    deal_must_be_open(deal)
    if len(counting) == 1:
        raise Conflict("A deal is always in a stage; enter the right one first.", code="STAGE_ENTRY_ONLY")
    return [StageEntryVoided(entry=command.entry, stage_id=counting[command.entry])]


def change_amount(deal: Opportunity, command: ChangeAmount) -> Sequence[OpportunityEvent]:
    deal_must_exist(deal)
    amount_minor = minor_units(command.amount, deal.currency)
    if amount_minor == deal.amount_minor:
        return []
    deal_must_be_open(deal)
    return [amount_change(deal, amount_minor)]


def change_expected_close(deal: Opportunity, command: ChangeExpectedClose) -> Sequence[OpportunityEvent]:
    deal_must_exist(deal)
    if command.expected_close == deal.expected_close:
        return []
    deal_must_be_open(deal)
    return [
        ExpectedCloseChanged(
            expected_close=command.expected_close, previous_expected_close=deal.expected_close
        )
    ]


def reassign(deal: Opportunity, command: ReassignOpportunity) -> Sequence[OpportunityEvent]:
    deal_must_exist(deal)
    if (command.owner_id, command.owner_team) == (deal.owner_id, deal.owner_team):
        return []
    deal_must_be_open(deal)
    must_be_line("owner_team", command.owner_team)
    return [
        OpportunityReassigned(
            owner_id=command.owner_id,
            owner_team=command.owner_team,
            previous_owner_id=deal.owner_id,
            previous_owner_team=deal.owner_team,
        )
    ]


def win(deal: Opportunity, command: WinOpportunity) -> Sequence[OpportunityEvent]:
    deal_must_exist(deal)
    amount_minor = minor_units(command.amount, deal.currency)
    if amount_minor is None:
        amount_minor = deal.amount_minor
    if deal.status is Status.WON and amount_minor == deal.amount_minor:
        return []
    deal_must_be_open(deal)
    if amount_minor is None:
        raise Conflict("This deal has no amount to be won for.", code="AMOUNT_MISSING")
    won = OpportunityWon(attempt=deal.attempt, amount_minor=amount_minor, currency=deal.currency)
    return [won] if amount_minor == deal.amount_minor else [amount_change(deal, amount_minor), won]


def lose(deal: Opportunity, command: LoseOpportunity) -> Sequence[OpportunityEvent]:
    deal_must_exist(deal)
    if deal.status is Status.LOST and command.reason == deal.lost_reason:
        return []
    deal_must_be_open(deal)
    must_be_slug("reason", command.reason)
    must_be_text("note", command.note)
    return [
        OpportunityLost(
            attempt=deal.attempt,
            reason=command.reason,
            amount_minor=deal.amount_minor,
            currency=deal.currency,
            person_id=deal.person_id,
            note=command.note,
        )
    ]


def reopen(deal: Opportunity) -> Sequence[OpportunityEvent]:
    deal_must_exist(deal)
    return [] if deal.status is Status.OPEN else [OpportunityReopened(attempt=deal.attempt + 1)]


def entry_into(stage_id: str, deal: Opportunity, pipeline: Pipeline) -> StageEntered:
    return StageEntered(
        entry=deal.last_entry + 1,
        pipeline_id=deal.pipeline_id,
        pipeline_version=pipeline.version,
        stage_id=stage_id,
        stage_order=pipeline.order_of(stage_id),
        previous_stage_id=deal.stage_id,
    )


def amount_change(deal: Opportunity, amount_minor: int | None) -> AmountChanged:
    return AmountChanged(
        amount_minor=amount_minor, currency=deal.currency, previous_amount_minor=deal.amount_minor
    )


def minor_units(amount: Money | None, currency: str) -> int | None:
    if amount is None:
        return None
    if amount.currency != currency:
        raise Invalid(f"This deal is in {currency}.", code="CURRENCY_MISMATCH", currency=currency)
    must_be_amount("amount", amount.minor)
    return amount.minor


opportunity_decider = RuledDecider(decide=decide, evolve=evolve, initial=Opportunity())
