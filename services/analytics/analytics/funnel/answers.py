"""Funnel questions answered: which cells serve, what the semantics make of them, in the words of the API."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from contracts.opportunities import Stage

from analytics.answering import PeriodOut, as_of, money
from analytics.asking import refuse
from analytics.funnel import semantics
from analytics.funnel.cells import KEPT, Dimension, Terms, kept_cells_serve, places_in
from analytics.funnel.figures import Basis
from analytics.funnel.models import (
    AnyFunnelOut,
    ClosedRow,
    CohortRow,
    FunnelClosedOut,
    FunnelCohortOut,
    FunnelQuery,
    FunnelSnapshotOut,
    SnapshotRow,
    SnapshotStageOut,
    View,
)
from analytics.pipelines.answers import choose
from analytics.reading import Knowledge
from analytics.semantics import Cells, Period
from analytics.views import deals

# The conversions that the shipped pipeline is held against, by milestone; `lead` is where it begins.
BENCHMARKS = {
    "lead": 1.0,
    "first_contact": 0.25,
    "needs_confirmed": 0.60,
    "proposal_accepted": 0.40,
    "signed": 0.75,
}


@dataclass(frozen=True, slots=True)
class _Asked:
    view: View
    breakdown: Dimension
    zone: ZoneInfo
    pipeline_id: UUID
    pipeline_version: int
    stages: Sequence[Stage]
    terms: Terms
    # Whether the kept cells were counted on these terms.
    as_kept: bool


async def funnel(known: Knowledge, query: FunnelQuery, zone: ZoneInfo) -> AnyFunnelOut:
    if query.view == "snapshot":
        return await snapshot(known, query, zone)
    if query.view == "closed":
        return await closed(known, query, zone)
    return await cohort(known, query, zone)


async def _asked(known: Knowledge, query: FunnelQuery, zone: ZoneInfo, view: View) -> _Asked:
    if query.breakdown == "reason" and view != "closed":
        refuse("breakdown", "not_applicable", "reasons are those of losses: ask for view=closed")
    pipeline_id, pipeline = await choose(known, query.pipeline_id)
    version = query.pipeline_version or pipeline.current
    if version not in pipeline.versions:
        refuse("pipeline_version", "unknown", f"known are {', '.join(map(str, sorted(pipeline.versions)))}")
    stages = pipeline.versions[version]
    terms = Terms(
        mode=query.mode,
        attribution=query.attribution or "at_step",
        window=None if query.window_days is None else timedelta(days=query.window_days),
        now=known.now,
        per_attempt=query.per_attempt,
        dimensions=(query.breakdown,),
        places=places_in(stages, pipeline.history),
    )
    as_kept = _as_kept(view, terms) and (view != "cohort" or kept_cells_serve(terms.places, pipeline.history))
    return _Asked(view, query.breakdown, zone, pipeline_id, version, stages, terms, as_kept)


def _as_kept(view: View, terms: Terms) -> bool:
    """Each view looks at some of the terms only; the kept cells serve if those are the kept ones."""
    if not set(terms.dimensions) <= set(KEPT.dimensions):
        return False
    if view == "snapshot":
        return True
    if view == "closed":
        return (terms.attribution, terms.per_attempt) == (KEPT.attribution, KEPT.per_attempt)
    return (terms.attribution, terms.mode, terms.window) == (KEPT.attribution, KEPT.mode, KEPT.window)


async def _cells(known: Knowledge, asked: _Asked, period: Period | None) -> Cells:
    if asked.as_kept and await known.keeps(deals, asked.zone):
        prefix = (asked.view, str(asked.pipeline_id), asked.breakdown)
        days = (period.start.isoformat(), period.end.isoformat()) if period else None
        return await known.cells(deals, prefix, days)
    states = await known.states(deals)
    return await asyncio.to_thread(semantics.cells_of, states.values(), asked.zone, asked.terms)


async def cohort(known: Knowledge, query: FunnelQuery, zone: ZoneInfo) -> FunnelCohortOut:
    asked, period = await _asked(known, query, zone, "cohort"), query.period(known.now, zone)
    found = semantics.funnel(
        await _cells(known, asked, period),
        asked.pipeline_id,
        asked.stages,
        period,
        asked.zone,
        breakdown=asked.breakdown,
        terms=asked.terms,
        benchmarks=BENCHMARKS,
    )
    return FunnelCohortOut(
        **_basis(known, asked, found.basis),
        period=PeriodOut.of(period),
        rows=[CohortRow.model_validate(asdict(row)) for row in found.rows],
    )


async def snapshot(known: Knowledge, query: FunnelQuery, zone: ZoneInfo) -> FunnelSnapshotOut:
    asked = await _asked(known, query, zone, "snapshot")
    found = semantics.snapshot(
        await _cells(known, asked, None),
        asked.pipeline_id,
        asked.stages,
        breakdown=asked.breakdown,
        terms=asked.terms,
    )
    rows = [
        SnapshotRow(
            value=row.value,
            stages=[
                SnapshotStageOut(stage_id=s.stage_id, name=s.name, n=s.n, value=money(s.minor))
                for s in row.stages
            ],
        )
        for row in found.rows
    ]
    return FunnelSnapshotOut(**_basis(known, asked, found.basis), rows=rows)


async def closed(known: Knowledge, query: FunnelQuery, zone: ZoneInfo) -> FunnelClosedOut:
    asked, period = await _asked(known, query, zone, "closed"), query.period(known.now, zone)
    found = semantics.closed(
        await _cells(known, asked, period),
        asked.pipeline_id,
        period,
        asked.zone,
        breakdown=asked.breakdown,
        terms=asked.terms,
    )
    rows = [
        ClosedRow(
            value=row.value,
            won=row.won,
            lost=row.lost,
            win_rate=row.win_rate,
            won_value=money(row.won_minor),
            lost_value=money(row.lost_minor),
        )
        for row in found.rows
    ]
    return FunnelClosedOut(**_basis(known, asked, found.basis), period=PeriodOut.of(period), rows=rows)


def _basis(known: Knowledge, asked: _Asked, basis: Basis) -> dict[str, Any]:
    return {
        **as_of(known),
        "view": basis.view,
        "mode": basis.mode,
        "attribution": basis.attribution,
        "window_days": basis.window.days if basis.window else None,
        "zone": asked.zone.key,
        "pipeline_id": asked.pipeline_id,
        "pipeline_version": asked.pipeline_version,
        "stages": basis.stages,
        "breakdown": basis.breakdown,
    }
