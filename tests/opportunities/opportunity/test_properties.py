"""What holds for a deal whatever is asked of it, while its pipeline changes under it."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from kernel.domain.money import Money
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
    OpportunityCreated,
    OpportunityEvent,
    OpportunityLost,
    OpportunityReopened,
    OpportunityWon,
    StageEntered,
    StageEntryVoided,
)
from opportunities.opportunity.state import Opportunity, Status
from opportunities.pipeline.decider import Pipeline

from tests.opportunities.examples import (
    ADA,
    CREATE,
    GRACE,
    NEW_YEAR,
    NEXT_PIPELINE,
    PIPELINE,
    RETIRED_PIPELINE,
    SPRING,
)
from tests.opportunities.walks import walk

Asked = tuple[Pipeline, OpportunityCommand]

pipelines = st.sampled_from([PIPELINE, PIPELINE, NEXT_PIPELINE, RETIRED_PIPELINE, Pipeline()])
stage_ids = st.sampled_from(["lead", "talk", "trial", "offer", "signed", "dream"])
amounts = st.one_of(
    st.none(), st.builds(Money, st.sampled_from([-1, 0, 1, 500_00, 2**53]), st.sampled_from(["CNY", "USD"]))
)
dates = st.sampled_from([None, NEW_YEAR, SPRING])
creations = st.builds(
    lambda stage_id, amount: replace(CREATE, stage_id=stage_id, amount=amount),
    st.one_of(st.none(), stage_ids),
    amounts,
)
changes: st.SearchStrategy[OpportunityCommand] = st.one_of(
    st.builds(EnterStage, stage_id=stage_ids),
    st.builds(VoidStageEntry, entry=st.integers(-1, 9)),
    st.builds(ChangeAmount, amount=amounts),
    st.builds(ChangeExpectedClose, expected_close=dates),
    st.builds(
        ReassignOpportunity,
        owner_id=st.sampled_from([None, ADA, GRACE]),
        owner_team=st.sampled_from([None, "north", ""]),
    ),
    st.builds(WinOpportunity, amount=amounts),
    st.builds(LoseOpportunity, reason=st.sampled_from(["price", "timing", "No!"]), note=st.text(max_size=2)),
    st.builds(ReopenOpportunity),
)
commands: st.SearchStrategy[OpportunityCommand] = st.one_of(changes, changes, changes, creations)


@given(st.lists(st.tuples(pipelines, commands), max_size=30))
def test_any_sequence_of_commands_leaves_a_sound_deal(asked: list[Asked]) -> None:
    must_be_sound(*live(asked))


@given(st.lists(st.tuples(pipelines, changes), min_size=5, max_size=40))
def test_any_life_of_a_created_deal_is_sound(asked: list[Asked]) -> None:
    must_be_sound(*live([(PIPELINE, CREATE), *asked]))


def live(asked: list[Asked]) -> tuple[list[OpportunityEvent], Opportunity]:
    return walk(
        Opportunity(), ((opportunity_decider.under(pipeline), command) for pipeline, command in asked)
    )


def must_be_sound(history: list[OpportunityEvent], deal: Opportunity) -> None:
    if not history:
        return
    entered = {fact.entry: fact.stage_id for fact in history if isinstance(fact, StageEntered)}
    voided = {fact.entry: fact.stage_id for fact in history if isinstance(fact, StageEntryVoided)}
    counting = [(entry, stage_id) for entry, stage_id in entered.items() if entry not in voided]
    assert list(entered) == list(range(1, len(entered) + 1))
    assert voided.items() <= entered.items()
    assert counting == list(deal.entries)
    assert deal.stage_id == counting[-1][1]
    assert deal.attempt == 1 + sum(isinstance(fact, OpportunityReopened) for fact in history)
    assert (deal.status is Status.LOST) == (deal.lost_reason is not None)
    must_tell_one_amount(history, deal)


def must_tell_one_amount(history: list[OpportunityEvent], deal: Opportunity) -> None:
    amount_minor: int | None = None
    for fact in history:
        match fact:
            case OpportunityCreated():
                amount_minor = fact.amount_minor
            case AmountChanged():
                assert fact.previous_amount_minor == amount_minor
                amount_minor = fact.amount_minor
            case OpportunityWon() | OpportunityLost():
                assert fact.amount_minor == amount_minor
            case _:
                pass
    assert deal.amount_minor == amount_minor
