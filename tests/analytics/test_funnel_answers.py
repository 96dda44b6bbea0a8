"""What an answer of the funnel says about itself, and how it follows a pipeline that changes."""

from datetime import date, timedelta
from uuid import UUID

from analytics.funnel.cells import Terms, kept_cells_serve, places_in
from analytics.funnel.semantics import cells_of, closed, funnel, snapshot
from analytics.semantics import Period
from contracts.opportunities import Stage

from tests.analytics.examples import (
    MAY,
    PIPELINE,
    SHANGHAI,
    STAGES,
    asked,
    counts,
    deal,
    entered,
    lost,
    may,
    open_now,
)

LEAD, CONTACT, NEEDS, PROPOSAL, SIGNED = STAGES
DEMO = Stage(stage_id="demo", name="Demo", milestone=None)


def test_an_answer_names_its_view_mode_attribution_window_and_zone() -> None:
    basis = asked(deal(), terms=Terms(mode="touched", window=timedelta(days=90), now=may(31))).basis
    assert (basis.view, basis.mode, basis.attribution) == ("cohort", "touched", "at_step")
    assert (basis.window, basis.zone, basis.stages) == (timedelta(days=90), "Asia/Shanghai", "as entered")
    assert snapshot({}, PIPELINE, STAGES).basis.attribution == "current"
    assert closed({}, PIPELINE, MAY, SHANGHAI, terms=Terms(attribution="entry")).basis.attribution == "entry"


def test_conversion_from_nobody_is_no_number() -> None:
    (first, second, *_) = asked(deal()).rows[0].steps
    assert (first.n, first.from_entry, second.from_previous) == (0, 0.0, None)


def test_other_pipelines_and_other_days_are_left_out() -> None:
    cells = cells_of([deal((entered(0), may(1)))], SHANGHAI)
    assert funnel(cells, UUID(int=0xAA), STAGES, MAY, SHANGHAI).rows == ()
    first, second, third = date(2024, 5, 1), date(2024, 5, 2), date(2024, 5, 3)
    assert len(funnel(cells, PIPELINE, STAGES, Period(first, second), SHANGHAI).rows) == 1
    assert funnel(cells, PIPELINE, STAGES, Period(MAY.start - timedelta(days=9), first), SHANGHAI).rows == ()
    assert funnel(cells, PIPELINE, STAGES, Period(second, third), SHANGHAI).rows == ()


def test_a_breakdown_has_a_row_for_each_value() -> None:
    cells = cells_of([deal((lost(), may(2)))], SHANGHAI, Terms(dimensions=("team", "product")))
    assert [row.value for row in funnel(cells, PIPELINE, STAGES, MAY, SHANGHAI, breakdown="team").rows] == [
        "north"
    ]
    assert [row.value for row in closed(cells, PIPELINE, MAY, SHANGHAI, breakdown="product").rows] == [
        "engine oil"
    ]


def test_a_stage_that_the_version_does_not_know_stays_visible() -> None:
    cells = cells_of([deal((entered(3), may(1)))], SHANGHAI)
    stages = snapshot(cells, PIPELINE, STAGES[:2]).rows[0].stages
    assert [(stage.stage_id, stage.name, stage.n) for stage in stages][2] == ("proposal_accepted", None, 1)
    assert open_now(deal()).rows[0].stages[-1].stage_id == ""


def test_a_new_version_counts_old_entries_by_its_own_order() -> None:
    longer = (LEAD, DEMO, CONTACT, NEEDS, PROPOSAL, SIGNED)
    places = places_in(longer, [STAGES])
    contacted = deal((entered(0), may(1)), (entered(1, 2), may(2)))
    assert not kept_cells_serve(places, [STAGES, longer])
    assert counts(contacted, terms=Terms(places=places)) == [1, 1, 1, 0, 0]
    assert asked(contacted, terms=Terms(places=places)).basis.stages == "as defined"


def test_a_stage_that_is_gone_counts_as_the_one_before_it() -> None:
    shorter = (LEAD, CONTACT, PROPOSAL, SIGNED)
    places = places_in(shorter, [STAGES])
    assert places["needs_confirmed"] == places["first_contact"] == 1
    assert counts(deal((entered(2), may(1))), terms=Terms(places=places))[:3] == [1, 1, 0]


def test_a_stage_put_at_the_end_leaves_the_kept_cells_in_use() -> None:
    longer = (*STAGES, DEMO)
    assert kept_cells_serve(places_in(longer, [STAGES]), [STAGES, longer])
