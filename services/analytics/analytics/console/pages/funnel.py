"""The funnel's page: how far deals come, where the open ones are, what was closed."""

from collections.abc import Sequence

from analytics.answering import AsOf, as_of
from analytics.console.grids import Cell, Column, Grid, amounts, count, label, percent, share
from analytics.console.page import Bar, Choice, Page, named, thousandths
from analytics.console.visits import Visit
from analytics.funnel.answers import closed, cohort, snapshot
from analytics.funnel.models import (
    CohortRow,
    FunnelClosedOut,
    FunnelCohortOut,
    FunnelQuery,
    FunnelSnapshotOut,
    StepOut,
)
from analytics.pipelines.answers import PipelineOut, StageOut, list_pipelines
from analytics.reading import Knowledge

OF_OWNERS = ("owner", "team")
BREAKDOWNS = ("all", "owner", "team", "source", "product", "reason")
MODES = ("reached", "touched", "strict")
WINDOWS = ("", "30", "90", "180", "365")
ATTRIBUTIONS = ("at_step", "entry", "current")
NOBODY = CohortRow(value="", entered=0, mature=0, won=0, lost=0, win_rate=None, steps=[])


async def page(known: Knowledge, visit: Visit) -> Page:
    pipelines = (await list_pipelines(known)).items
    asked = visit.read(FunnelQuery)
    if not pipelines:
        return Page(visit.t("Funnel"), AsOf(**as_of(known)), visit.zone.key, [], {"pipeline": None})
    wanted = asked.pipeline_id or pipelines[0].id
    pipeline = next((each for each in pipelines if each.id == wanted), pipelines[0])

    query = visit.read(FunnelQuery, pipeline_id=str(wanted), breakdown="all")
    parted = query.model_copy(update={"breakdown": asked.breakdown})
    whole = await cohort(known, query, visit.zone)
    total = whole.rows[0] if whole.rows else NOBODY
    stages = next(each.stages for each in pipeline.versions if each.version == whole.pipeline_version)
    grids = [
        _steps(total, visit),
        _snapshot(await snapshot(known, query, visit.zone), visit),
        _closed(await closed(known, parted, visit.zone), visit),
    ]
    if asked.breakdown not in ("all", "reason"):
        grids.insert(1, _parts(await cohort(known, parted, visit.zone), stages, visit))
    return Page(
        visit.t("Funnel"),
        whole,
        whole.zone,
        grids,
        {
            "pipeline": pipeline,
            "period": whole.period,
            "answer": whole,
            "total": total,
            "bars": _bars(total, stages, visit),
            "choices": _choices(pipelines, str(wanted), asked, visit),
        },
    )


def _bars(total: CohortRow, stages: Sequence[StageOut], visit: Visit) -> list[Bar]:
    """The mark is where the bar would end if the step since the last milestone went as the benchmark says."""
    t = visit.t
    milestones = {stage.id: stage.milestone for stage in stages}
    bars: list[Bar] = []
    before: int | None = None
    for step in total.steps:
        details = [(t("of all"), percent(step.from_entry), "")]
        if step.from_previous is not None:
            details.insert(0, (t("of the previous"), percent(step.from_previous), ""))
        mark = None
        if step.benchmark is not None and before is not None:
            mark = thousandths(before * step.benchmark / total.mature) if total.mature else None
            if step.from_milestone != step.from_previous:
                details.append((t("since milestone"), percent(step.from_milestone), ""))
            details.append((t("benchmark"), _held_against(step, visit), _against(step)))
        bars.append(Bar(step.name, f"{step.n:,}", thousandths(step.from_entry), details, mark))
        if milestones.get(step.stage_id) and (before is None or step.benchmark is not None):
            before = step.n
    return bars


def _steps(total: CohortRow, visit: Visit) -> Grid:
    t = visit.t
    return Grid(
        "steps",
        t("Steps of the deals that entered in the period"),
        [
            Column(t("Stage"), numeric=False),
            Column(t("Deals")),
            Column(t("Of the previous")),
            Column(t("Of all")),
            Column(t("Since milestone")),
            Column(t("Benchmark")),
        ],
        [
            [
                label(step.name),
                count(step.n),
                share(step.from_previous),
                share(step.from_entry),
                share(step.from_milestone, _against(step)),
                share(step.benchmark),
            ]
            for step in total.steps
        ],
    )


def _against(step: StepOut) -> str:
    if step.benchmark is None or step.from_milestone is None:
        return ""
    return "good" if step.from_milestone >= step.benchmark else "bad"


def _held_against(step: StepOut, visit: Visit) -> str:
    told = {"good": visit.t("reached"), "bad": visit.t("missed"), "": ""}[_against(step)]
    return f"{percent(step.benchmark)} {told}".strip()


def _parts(answer: FunnelCohortOut, stages: Sequence[StageOut], visit: Visit) -> Grid:
    t = visit.t
    note = t("Each step is credited by {attribution}.", attribution=t(answer.attribution or ""))
    if answer.breakdown in OF_OWNERS and answer.attribution == "at_step":
        note += " " + t(
            "Shares need one owner for all steps: choose the owner at the entry or the present one."
        )
    return Grid(
        "parts",
        t("The same by {part}", part=t(answer.breakdown)),
        [
            Column(t(answer.breakdown).capitalize(), numeric=False),
            Column(t("Entered")),
            *[Column(stage.name) for stage in stages],
            Column(t("Won")),
            Column(t("Win rate")),
        ],
        [
            [
                _value(row.value, visit),
                count(row.entered),
                *[count(step.n) for step in row.steps],
                count(row.won),
                share(row.win_rate),
            ]
            for row in answer.rows
        ],
        note=note,
    )


def _snapshot(answer: FunnelSnapshotOut, visit: Visit) -> Grid:
    t = visit.t
    stages = answer.rows[0].stages if answer.rows else []
    return Grid(
        "snapshot",
        t("Open deals by stage"),
        [Column(t("Stage"), numeric=False), Column(t("Open deals")), Column(t("Value"))],
        [
            [label(stage.stage_id, stage.name or stage.stage_id), count(stage.n), amounts(stage.value)]
            for stage in stages
        ],
        foot=[label(t("All")), count(sum(stage.n for stage in stages)), Cell("", None)] if stages else [],
    )


def _closed(answer: FunnelClosedOut, visit: Visit) -> Grid:
    t = visit.t
    first = t("All") if answer.breakdown == "all" else t(answer.breakdown).capitalize()
    return Grid(
        "closed",
        t("Deals closed in the period"),
        [
            Column(first, numeric=False),
            Column(t("Won")),
            Column(t("Value won")),
            Column(t("Lost")),
            Column(t("Value lost")),
            Column(t("Win rate")),
        ],
        [
            [
                label("", t("All")) if answer.breakdown == "all" else _value(row.value, visit),
                count(row.won),
                amounts(row.won_value),
                count(row.lost),
                amounts(row.lost_value),
                share(row.win_rate),
            ]
            for row in answer.rows
        ],
    )


def _value(value: str, visit: Visit) -> Cell:
    shown, title = named(value, visit)
    return label(value, shown, title)


def _choices(pipelines: Sequence[PipelineOut], wanted: str, asked: FunnelQuery, visit: Visit) -> list[Choice]:
    t = visit.t
    window = "" if asked.window_days is None else str(asked.window_days)
    windows = WINDOWS if window in WINDOWS else (*WINDOWS, window)
    choices = [
        Choice("pipeline_id", t("Pipeline"), [(str(p.id), p.name) for p in pipelines], wanted),
        Choice("breakdown", t("By"), [(name, t(name)) for name in BREAKDOWNS], asked.breakdown),
        Choice("mode", t("A step counts if"), [(name, t(f"mode {name}")) for name in MODES], asked.mode),
        Choice(
            "window_days",
            t("Within"),
            [(days, t("{days} days", days=days) if days else t("any time")) for days in windows],
            window,
        ),
    ]
    if asked.breakdown in OF_OWNERS:
        whose = [(name, t(name)) for name in ATTRIBUTIONS]
        choices.append(Choice("attribution", t("Credited to"), whose, asked.attribution or "at_step"))
    return choices
