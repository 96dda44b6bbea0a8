"""Whatever deals do and however it is heard, the cells are what a plain count finds."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import chain, pairwise
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

from analytics.funnel.cells import (
    FIRST_STEP,
    KEPT,
    MOST_STAGES,
    Attribution,
    Dimension,
    Mode,
    Terms,
    contribute,
)
from analytics.funnel.deal import BLANK, Deal, DealFact, as_at, key, project
from analytics.funnel.semantics import cells_of, funnel
from analytics.semantics import Cells, Period
from contracts import opportunities as public
from contracts.opportunities import Stage
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tests.analytics import oracle
from tests.analytics.deal_streams import deal_histories, deal_history, reassigned
from tests.analytics.folding import filled, follow, named, states, summed
from tests.analytics.streams import (
    OWNERS,
    PIPELINES,
    STAGES,
    TIMES,
    History,
    batches,
    heard,
    interleaved,
    times,
    zones,
)

NAMES = {
    "cohort": ["entered", "mature", "won", "lost", *[f"n{place + 1}" for place in range(MOST_STAGES)]],
    "snapshot": ["open", "minor"],
    "closed": ["won", "won_minor", "lost", "lost_minor"],
}
DEAL = TypeAdapter(Deal)

Histories = list[History[DealFact]]


def folded(histories: Histories) -> list[Deal]:
    records = [record for history in histories for record in heard(history)]
    return list(states(records, key, project, BLANK).values())


def cells(histories: Histories, zone: ZoneInfo, terms: Terms = KEPT) -> Cells:
    return filled(cells_of(folded(histories), zone, terms))


@given(deal_histories(), zones, st.randoms(use_true_random=False))
def test_cells_are_the_same_however_the_facts_are_heard(
    histories: Histories, zone: ZoneInfo, random: Random
) -> None:
    heard_in = batches(interleaved(histories, random), random)
    table = follow(heard_in, key, project, BLANK, lambda deal: contribute(deal, zone))
    assert table == cells(histories, zone)
    assert named(table, NAMES) == oracle.funnel(histories, zone, oracle.Ask())


@given(
    deal_histories(),
    zones,
    st.sampled_from(["reached", "touched", "strict"]),
    st.sampled_from(["at_step", "entry", "current"]),
    st.sampled_from([None, timedelta(0), timedelta(hours=1), timedelta(days=30), timedelta(days=91)]),
    times,
    st.booleans(),
)
def test_cells_under_any_terms_are_what_a_plain_count_finds(
    histories: Histories,
    zone: ZoneInfo,
    mode: Mode,
    attribution: Attribution,
    window: timedelta | None,
    now: datetime,
    per_attempt: bool,
) -> None:
    terms = Terms(mode=mode, attribution=attribution, window=window, now=now, per_attempt=per_attempt)
    ask = oracle.Ask(mode, attribution, window, now, per_attempt)
    assert named(cells(histories, zone, terms), NAMES) == oracle.funnel(histories, zone, ask)


@given(deal_histories(), zones, times)
def test_the_funnel_as_at_a_moment_is_that_of_the_facts_that_had_occurred(
    histories: Histories, zone: ZoneInfo, moment: datetime
) -> None:
    then = [as_at(deal, moment) for deal in folded(histories)]
    known = [without_later(history, moment) for history in histories]
    wanted = oracle.funnel([history for history in known if created(history)], zone, oracle.Ask())
    assert named(filled(cells_of(then, zone)), NAMES) == wanted


def without_later(history: History[DealFact], moment: datetime) -> History[DealFact]:
    void = {fact.entry for fact, _ in history if isinstance(fact, public.StageEntryVoided)}
    return [
        (fact, at)
        for fact, at in history
        if at <= moment and not (isinstance(fact, public.StageEntered) and fact.entry in void)
    ]


def created(history: History[DealFact]) -> bool:
    return bool(history) and isinstance(history[0][0], public.OpportunityCreated)


@given(deal_histories(), zones)
def test_the_values_of_a_dimension_add_up_to_all(histories: Histories, zone: ZoneInfo) -> None:
    table = cells(histories, zone)
    for view, dimensions in (
        ("cohort", ("owner", "source")),
        ("snapshot", ("owner", "source")),
        ("closed", ("owner", "source", "reason")),
    ):
        for dimension in dimensions:
            assert summed(table, view, dimension, 4) == summed(table, view, "all", 4)


@given(deal_histories(), zones, st.sampled_from([None, timedelta(days=30)]))
def test_no_later_step_has_more_deals_than_an_earlier_one(
    histories: Histories, zone: ZoneInfo, window: timedelta | None
) -> None:
    for cell, numbers in cells(histories, zone, Terms(window=window, now=TIMES[-1])).items():
        if cell[0] == "cohort" and cell[2] != "owner":
            entered, mature, won, lost, *steps = numbers
            assert entered >= mature >= steps[0]
            assert mature >= won + lost
            assert all(earlier >= later for earlier, later in pairwise(steps))
            assert window is not None or won <= steps[-1]


@given(
    deal_histories(),
    st.sampled_from(["reached", "touched", "strict"]),
    st.sampled_from(["at_step", "entry", "current"]),
    st.sampled_from(["all", "owner", "team", "source"]),
)
def test_no_share_of_those_that_entered_is_more_than_all_of_them(
    histories: Histories, mode: Mode, attribution: Attribution, breakdown: Dimension
) -> None:
    terms = Terms(mode=mode, attribution=attribution, dimensions=(breakdown,))
    found = cells_of(folded(histories), ZoneInfo("UTC"), terms)
    stages = [Stage(stage_id=stage, name=stage, milestone=stage) for stage in STAGES]
    ever = Period(date(2000, 1, 1), date(2100, 1, 1))
    for pipeline in PIPELINES:
        answer = funnel(
            found,
            pipeline,
            stages,
            ever,
            ZoneInfo("UTC"),
            breakdown=breakdown,
            terms=terms,
            benchmarks=dict.fromkeys(STAGES, 0.5),
        )
        for row in answer.rows:
            steps = [[step.from_entry, step.from_previous, step.from_milestone] for step in row.steps]
            shares = [row.win_rate, *chain.from_iterable(steps)]
            assert all(share is None or share <= 1 for share in shares)


@given(deal_history(PIPELINES[0]), zones, st.sampled_from(OWNERS), times, times)
def test_a_reassignment_that_is_reversed_leaves_no_trace(
    history: History[DealFact], zone: ZoneInfo, other: UUID | None, at: datetime, later: datetime
) -> None:
    deal_id, owner = key(history[0][0]), folded([history])[0].owners[-1].owner_id
    away, back = reassigned(deal_id, other), reassigned(deal_id, owner)
    current = Terms(attribution="current")
    assert cells([[*history, (away, at), (back, later)]], zone, current) == cells([history], zone, current)
    once: History[DealFact] = [
        (fact, when) for fact, when in history if not isinstance(fact, public.OpportunityReassigned)
    ]
    first = folded([once])[0].owners[0].owner_id
    assert cells([[*once, (away, at), (reassigned(deal_id, first), at)]], zone) == cells([once], zone)


@given(deal_history(PIPELINES[0]), zones, times, times, st.integers(0, len(STAGES) - 1))
def test_a_void_entry_followed_by_a_right_one_is_as_if_only_that_one_had_been_made(
    history: History[DealFact], zone: ZoneInfo, wrong_at: datetime, right_at: datetime, place: int
) -> None:
    history = [(fact, at) for fact, at in history if not isinstance(fact, CLOSINGS)]
    wrong, right = entry(history, 91, place), entry(history, 92, place)
    void = public.StageEntryVoided(opportunity_id=wrong.opportunity_id, entry=91, stage_id=wrong.stage_id)
    corrected = [*history, (wrong, wrong_at), (void, wrong_at), (right, right_at)]
    assert cells([corrected], zone) == cells([[*history, (right, right_at)]], zone)


CLOSINGS = (public.OpportunityWon, public.OpportunityLost, public.OpportunityReopened)


def entry(history: Sequence[tuple[DealFact, datetime]], number: int, place: int) -> public.StageEntered:
    return public.StageEntered(
        opportunity_id=key(history[0][0]),
        entry=number,
        pipeline_id=PIPELINES[0],
        pipeline_version=1,
        stage_id=STAGES[place],
        stage_order=place,
        previous_stage_id=None,
    )


@given(deal_histories(), zones)
def test_terms_that_say_what_the_kept_ones_say_give_the_kept_cells(
    histories: Histories, zone: ZoneInfo
) -> None:
    in_their_places = {stage: place for place, stage in enumerate(STAGES)}
    assert cells(histories, zone, Terms()) == cells(histories, zone)
    assert cells(histories, zone, Terms(places=in_their_places)) == cells(histories, zone)


@given(deal_histories(), zones)
def test_moving_everything_by_a_day_moves_the_cells_by_a_day(histories: Histories, zone: ZoneInfo) -> None:
    later = [[(fact, at + timedelta(days=7)) for fact, at in history] for history in histories]
    before, after = cells(histories, ZoneInfo("UTC")), cells(later, ZoneInfo("UTC"))
    assert sorted(before.values()) == sorted(after.values())


@given(deal_histories())
def test_a_state_survives_being_stored(histories: Histories) -> None:
    for deal in folded(histories):
        assert DEAL.validate_json(DEAL.dump_json(deal)) == deal


def test_a_deal_that_nobody_created_counts_nowhere() -> None:
    assert contribute(BLANK, ZoneInfo("UTC")) == {}
    assert len(NAMES["cohort"]) == FIRST_STEP + MOST_STAGES
