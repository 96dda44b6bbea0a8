"""The funnel's rules, each with an example."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from analytics.funnel.cells import Attribution, Dimension, Terms, contribute
from analytics.funnel.deal import BLANK, as_at, project
from analytics.funnel.figures import FunnelRow
from analytics.funnel.semantics import cells_of, closed, funnel, snapshot
from contracts import opportunities as public
from contracts.opportunities import Stage

from tests.analytics.deal_streams import reassigned
from tests.analytics.examples import (
    ADA,
    BENCHMARKS,
    CREATED,
    DEAL,
    GRACE,
    MAY,
    PIPELINE,
    REOPENED,
    SHANGHAI,
    STAGES,
    asked,
    closings,
    counts,
    deal,
    entered,
    lost,
    may,
    open_now,
    row,
    voided,
    won,
)
from tests.analytics.streams import heard


def test_a_company_on_its_benchmarks_signs_four_and_a_half_of_a_hundred_leads() -> None:
    furthest = [0] * 1500 + [1] * 200 + [2] * 180 + [3] * 30 + [4] * 90
    steps = row(*(deal((entered(place), may(2))) for place in furthest)).steps
    assert [step.n for step in steps] == [2000, 500, 300, 120, 90]
    assert [step.from_milestone for step in steps] == [None, 0.25, 0.60, 0.40, 0.75]
    assert [step.benchmark for step in steps] == [None, 0.25, 0.60, 0.40, 0.75]
    assert steps[-1].from_entry == pytest.approx(0.045)


def test_the_benchmark_spans_the_milestones_that_a_pipeline_leaves_out() -> None:
    cells = cells_of([deal((entered(0), may(1)))], SHANGHAI)
    short = [STAGES[0], Stage(stage_id="demo", name="Demo", milestone=None), STAGES[2], STAGES[4]]
    steps = funnel(cells, PIPELINE, short, MAY, SHANGHAI, benchmarks=BENCHMARKS).rows[0].steps
    assert [step.benchmark for step in steps] == [None, None, pytest.approx(0.15), pytest.approx(0.30)]


def test_a_skipped_stage_is_reached_but_not_touched() -> None:
    skipped = deal((entered(0), may(1)), (entered(3, 2), may(2)))
    assert counts(skipped) == [1, 1, 1, 1, 0]
    assert counts(skipped, terms=Terms(mode="touched")) == [1, 0, 0, 1, 0]
    assert counts(skipped, terms=Terms(mode="strict")) == [1, 0, 0, 0, 0]


def test_moving_back_undoes_no_step_and_a_wrong_click_taken_back_does() -> None:
    there_and_back = (entered(0), may(1)), (entered(2, 2), may(2)), (entered(0, 3), may(3))
    assert counts(deal(*there_and_back)) == [1, 1, 1, 0, 0]
    assert counts(deal(*there_and_back, (voided(2), may(4)))) == [1, 0, 0, 0, 0]
    assert [stage.n for stage in open_now(deal(*there_and_back)).rows[0].stages] == [1, 0, 0, 0, 0]
    assert [stage.n for stage in open_now(deal(*there_and_back, (voided(3), may(4)))).rows[0].stages][2] == 1


def test_a_won_deal_has_reached_every_stage_and_a_lost_one_stays_in_the_cohort() -> None:
    winner, loser = deal((entered(0), may(1)), (won(), may(2))), deal((entered(1), may(1)), (lost(), may(2)))
    assert counts(winner, loser) == [2, 2, 1, 1, 1]
    assert (row(winner, loser).entered, row(winner, loser).won, row(winner, loser).win_rate) == (2, 1, 0.5)


def test_a_reopened_deal_counts_once_by_its_last_closing() -> None:
    again = (lost(), may(2)), (REOPENED, may(3))
    assert closings(deal(*again)).rows == ()
    only = closings(deal(*again, (won(250_00, attempt=2), may(4)))).rows[0]
    assert (only.won, only.lost, only.win_rate, only.won_minor) == (1, 0, 1.0, {"CNY": 250_00})
    each = closings(deal(*again, (won(attempt=2), may(4))), terms=Terms(per_attempt=True))
    assert (each.basis.view, each.rows[0].won, each.rows[0].lost) == ("closed:per_attempt", 1, 1)


def test_two_closings_on_one_day_are_both_an_attempt() -> None:
    twice = (lost(), may(2, 1)), (REOPENED, may(2, 2)), (lost(attempt=2), may(2, 3))
    assert closings(deal(*twice), terms=Terms(per_attempt=True)).rows[0].lost == 2


def test_a_loss_says_its_reason_and_a_win_has_none() -> None:
    cells = cells_of([deal((lost("timing"), may(2))), deal((won(), may(2)))], SHANGHAI)
    by_reason = closed(cells, PIPELINE, MAY, SHANGHAI, breakdown="reason")
    assert [(each.value, each.won, each.lost) for each in by_reason.rows] == [("", 1, 0), ("timing", 0, 1)]


def test_each_step_is_credited_to_whoever_owned_the_deal_then() -> None:
    handed_over = deal((entered(0), may(1)), (reassigned(DEAL, GRACE), may(3)), (entered(2, 2), may(5)))
    cells = cells_of([handed_over], SHANGHAI)
    ada, grace = funnel(cells, PIPELINE, STAGES, MAY, SHANGHAI, breakdown="owner").rows
    assert (ada.value, ada.entered, [step.n for step in ada.steps]) == (str(ADA), 1, [1, 0, 0, 0, 0])
    assert (grace.value, grace.entered, [step.n for step in grace.steps]) == (str(GRACE), 0, [0, 1, 1, 0, 0])
    # Heard of only now, but it was before the hand-over that the deal got there.
    backdated = contribute(project(handed_over, heard([(entered(2, 3), may(2))])[0]), SHANGHAI)
    assert [key[4] for key in backdated if key[:3] == ("cohort", str(PIPELINE), "owner")] == [str(ADA)]
    assert [each.value for each in snapshot(cells, PIPELINE, STAGES, breakdown="owner").rows] == [str(GRACE)]


def test_there_is_no_share_between_the_deals_of_two_owners() -> None:
    """Ada's deal is won by Grace, who has one of her own too: two of one would be 200 %."""
    handed_over = deal((entered(0), may(1)), (reassigned(DEAL, GRACE), may(3)), (won(), may(5)))
    own = BLANK
    for record in heard([(replace(CREATED, owner_id=GRACE), may(1)), (won(), may(5))]):
        own = project(own, record)

    def rows(breakdown: Dimension, attribution: Attribution) -> tuple[FunnelRow, ...]:
        terms = Terms(attribution=attribution, dimensions=(breakdown,))
        counted = cells_of([handed_over, own], SHANGHAI, terms)
        return funnel(
            counted,
            PIPELINE,
            STAGES,
            MAY,
            SHANGHAI,
            breakdown=breakdown,
            terms=terms,
            benchmarks=BENCHMARKS,
        ).rows

    (ada, grace) = rows("owner", "at_step")
    assert [(each.entered, each.won) for each in (ada, grace)] == [(1, 0), (1, 2)]
    for each in (ada, grace):
        assert each.win_rate is None
        for step in each.steps:
            assert (step.from_previous, step.from_entry, step.from_milestone) == (None, None, None)
        assert each.steps[1].benchmark == 0.25
    assert [each.win_rate for each in rows("all", "at_step")] == [1.0]
    assert [each.win_rate for each in rows("source", "at_step")] == [1.0]
    assert [each.win_rate for each in rows("owner", "entry")] == [1.0, 1.0]
    assert [each.win_rate for each in rows("owner", "current")] == [1.0]
    # A team is who owned it, too.
    assert {each.win_rate for each in rows("team", "at_step")} == {None}
    assert {each.win_rate for each in rows("team", "entry")} == {1.0}


def test_the_window_is_elapsed_time_from_the_entry_to_its_last_moment() -> None:
    month = Terms(window=timedelta(days=30), now=may(31) + timedelta(days=30))
    late = may(1) + timedelta(days=30, microseconds=1)
    at_last = deal((entered(0), may(1)), (entered(1, 2), may(31)), (entered(2, 3), late))
    assert counts(at_last, terms=month) == [1, 1, 0, 0, 0]
    assert counts(at_last) == [1, 1, 1, 0, 0]


def test_deals_younger_than_the_window_are_told_apart_and_counted_in_no_step() -> None:
    young = Terms(window=timedelta(days=30), now=may(30))
    only = row(deal((won(), may(2))), terms=young)
    assert (only.entered, only.mature, only.won, only.win_rate) == (1, 0, 0, None)
    assert counts(deal((won(), may(2))), terms=young) == [0, 0, 0, 0, 0]
    with pytest.raises(ValueError, match="old enough"):
        Terms(window=timedelta(days=30))


def test_the_zone_alone_decides_the_month() -> None:
    at_the_turn = project(BLANK, heard([(CREATED, datetime(2024, 4, 30, 18, tzinfo=UTC))])[0])
    assert [each.entered for each in asked(at_the_turn, zone=SHANGHAI).rows] == [1]
    assert asked(at_the_turn, zone=ZoneInfo("UTC")).rows == ()


def test_the_snapshot_adds_up_what_each_open_deal_is_worth_now() -> None:
    raised = public.AmountChanged(
        opportunity_id=DEAL, amount_minor=300_00, currency="CNY", previous_amount_minor=100_00
    )
    state = deal((entered(1), may(1)), (raised, may(3)), (won(), may(9)))
    assert open_now(state).rows == ()
    (stage,) = [stage for stage in open_now(as_at(state, may(4))).rows[0].stages if stage.n]
    assert (stage.stage_id, stage.minor) == ("first_contact", {"CNY": 300_00})
    assert open_now(as_at(state, may(2))).rows[0].stages[1].minor == {"CNY": 100_00}
    assert as_at(state, may(1, 0)) == BLANK
