"""The funnel's answers, built from cells alone; each names its view, mode, attribution, window and zone.

Where the cells come from makes no difference: the table under the kept terms, or `total` of what the deals'
states contribute under any other terms, or of the states as at a moment.
"""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID
from zoneinfo import ZoneInfo

from contracts.opportunities import Stage

from analytics.funnel.cells import ENTERED, FIRST_STEP, KEPT, LOST, MATURE, WON, Dimension, Terms, contribute
from analytics.funnel.deal import Deal
from analytics.funnel.figures import (
    Basis,
    Closed,
    ClosedRow,
    Funnel,
    FunnelRow,
    Snapshot,
    SnapshotRow,
    SnapshotStage,
    Step,
)
from analytics.semantics import Cells, Numbers, Period, Share, no_rate, rate, total

Benchmarks = Mapping[str, float]
"""Milestone -> the conversion expected from the milestone before it, in their order; the first is 1."""


def cells_of(deals: Iterable[Deal], zone: ZoneInfo, terms: Terms = KEPT) -> Cells:
    return total(contribute(deal, zone, terms) for deal in deals)


def funnel(
    cells: Cells,
    pipeline_id: UUID,
    stages: Sequence[Stage],
    period: Period,
    zone: ZoneInfo,
    *,
    breakdown: Dimension = "all",
    terms: Terms = KEPT,
    benchmarks: Benchmarks | None = None,
) -> Funnel:
    """The deals that entered in the period and how far they came. `stages` in the order of their version.

    `zone` and `terms` are those of the cells. With a window the steps are those of the mature deals.
    """
    share = no_rate if terms.parts(breakdown) else rate
    # Whoever touched a stage need not have touched the one before it: no step is a part of another.
    between = no_rate if terms.mode == "touched" else share
    sums: dict[str, Numbers] = {}
    for _, value, _, numbers in _of(cells, "cohort", pipeline_id, breakdown, period):
        sums[value] = _plus(sums.get(value), numbers)
    rows = (
        FunnelRow(
            value=value,
            entered=numbers[ENTERED],
            mature=numbers[MATURE],
            won=numbers[WON],
            lost=numbers[LOST],
            win_rate=share(numbers[WON], numbers[MATURE]),
            steps=tuple(_steps(numbers, stages, benchmarks or {}, share, between)),
        )
        for value, numbers in sorted(sums.items())
    )
    return Funnel(_basis("cohort", terms, zone, breakdown, period), tuple(rows))


def snapshot(
    cells: Cells,
    pipeline_id: UUID,
    stages: Sequence[Stage],
    *,
    breakdown: Dimension = "all",
    terms: Terms = KEPT,
) -> Snapshot:
    """The open deals by the stage they are in; stages that the version does not know come last, unnamed."""
    found: dict[str, dict[str, dict[str, Numbers]]] = {}
    for stage_id, value, currency, numbers in _of(cells, "snapshot", pipeline_id, breakdown, None):
        found.setdefault(value, {}).setdefault(stage_id, {})[currency] = numbers
    names = {stage.stage_id: stage.name for stage in stages}
    rows = []
    for value, by_stage in sorted(found.items()):
        known = [*names, *sorted(by_stage.keys() - names.keys())]
        rows.append(SnapshotRow(value, tuple(_open(s, names.get(s), by_stage.get(s, {})) for s in known)))
    return Snapshot(_basis("snapshot", terms, None, breakdown, None), tuple(rows))


def closed(
    cells: Cells,
    pipeline_id: UUID,
    period: Period,
    zone: ZoneInfo,
    *,
    breakdown: Dimension = "all",
    terms: Terms = KEPT,
) -> Closed:
    """The deals whose last closing lies in the period. A deal that was reopened is not closed."""
    found: dict[str, dict[str, Numbers]] = {}
    for _, value, currency, numbers in _of(cells, "closed", pipeline_id, breakdown, period):
        by_currency = found.setdefault(value, {})
        by_currency[currency] = _plus(by_currency.get(currency), numbers)
    rows = tuple(_closed_row(value, by_currency) for value, by_currency in sorted(found.items()))
    return Closed(_basis("closed", terms, zone, breakdown, period), rows)


def _of(
    cells: Cells, view: str, pipeline_id: UUID, breakdown: Dimension, period: Period | None
) -> Iterable[tuple[str, str, str, Numbers]]:
    """The place (day or stage), value, currency and numbers of the cells that are asked for and not empty."""
    start, end = (period.start.isoformat(), period.end.isoformat()) if period else ("", "")
    prefix = (view, str(pipeline_id), breakdown)
    for key, numbers in cells.items():
        if key[:3] == prefix and (period is None or start <= key[3] < end) and any(numbers):
            yield key[3], key[4], key[5], numbers


def _plus(before: Numbers | None, numbers: Numbers) -> Numbers:
    return numbers if before is None else tuple(map(int.__add__, before, numbers))


def _basis(
    view: str, terms: Terms, zone: ZoneInfo | None, breakdown: Dimension, period: Period | None
) -> Basis:
    cohort = view == "cohort"
    return Basis(
        view=f"{view}:per_attempt" if view == "closed" and terms.per_attempt else view,
        mode=terms.mode if cohort else None,
        attribution="current" if view == "snapshot" else terms.attribution,
        window=terms.window if cohort else None,
        zone=zone.key if zone else None,
        stages="as defined" if cohort and terms.places else "as entered",
        breakdown=breakdown,
        period=period,
    )


def _steps(
    numbers: Numbers, stages: Sequence[Stage], benchmarks: Benchmarks, share: Share, between: Share
) -> Iterable[Step]:
    milestones = list(benchmarks)
    mature, counts = numbers[MATURE], numbers[FIRST_STEP:]
    previous = counts[0]
    last_milestone: tuple[int, int] | None = None
    for stage, n in zip(stages, counts, strict=False):
        from_milestone = benchmark = None
        if stage.milestone is not None and stage.milestone in benchmarks:
            place = milestones.index(stage.milestone)
            if last_milestone is not None and last_milestone[0] < place:
                from_milestone, benchmark = between(n, last_milestone[1]), 1.0
                for each in milestones[last_milestone[0] + 1 : place + 1]:
                    benchmark *= benchmarks[each]
            if last_milestone is None or last_milestone[0] < place:
                last_milestone = (place, n)
        from_previous = between(n, previous) if stage is not stages[0] else None
        yield Step(stage.stage_id, stage.name, n, from_previous, share(n, mature), from_milestone, benchmark)
        previous = n


def _open(stage_id: str, name: str | None, by_currency: Mapping[str, Numbers]) -> SnapshotStage:
    n = sum(numbers[0] for numbers in by_currency.values())
    return SnapshotStage(stage_id, name, n, {c: numbers[1] for c, numbers in sorted(by_currency.items())})


def _closed_row(value: str, by_currency: Mapping[str, Numbers]) -> ClosedRow:
    won = sum(numbers[0] for numbers in by_currency.values())
    lost = sum(numbers[2] for numbers in by_currency.values())
    return ClosedRow(
        value=value,
        won=won,
        lost=lost,
        win_rate=rate(won, won + lost),
        won_minor={c: numbers[1] for c, numbers in sorted(by_currency.items()) if numbers[0]},
        lost_minor={c: numbers[3] for c, numbers in sorted(by_currency.items()) if numbers[2]},
    )
