"""Retention questions answered: which cells serve, what the semantics make of them, in the words of the API."""

import asyncio
from zoneinfo import ZoneInfo

from analytics.answering import PeriodOut, amount, as_of
from analytics.reading import Knowledge
from analytics.retention import semantics
from analytics.retention.models import (
    Mode,
    RetentionCohort,
    RetentionMonth,
    RetentionOut,
    RetentionQuery,
    RetentionShare,
)
from analytics.semantics import Cells, Period, rate
from analytics.views import customers


async def retention(known: Knowledge, query: RetentionQuery, zone: ZoneInfo) -> RetentionOut:
    period = query.period(known.now, zone)
    found = semantics.retention(await _cells(known, period, zone), period, known.now, zone)
    on, unbounded = query.mode != "unbounded", query.mode != "on"
    return RetentionOut(
        **as_of(known),
        view=found.view,
        mode=query.mode,
        zone=zone.key,
        period=PeriodOut.of_months(period),
        cohorts=[_cohort(cohort, query.mode) for cohort in found.cohorts],
        shares=[
            RetentionShare(
                offset=share.offset,
                customers=share.customers,
                on_rate=share.on if on else None,
                unbounded_rate=share.unbounded if unbounded else None,
            )
            for share in found.shares
        ],
    )


async def _cells(known: Knowledge, period: Period, zone: ZoneInfo) -> Cells:
    if await known.keeps(customers, zone):
        months = (period.start.isoformat()[:7], period.end.isoformat()[:7])
        cells = await known.cells(customers, ("active",), months)
        return cells | await known.cells(customers, ("revenue",), months)
    states = await known.states(customers)
    return await asyncio.to_thread(semantics.cells_of, states.values(), zone)


def _cohort(cohort: semantics.Cohort, mode: Mode) -> RetentionCohort:
    return RetentionCohort(
        month=cohort.month,
        size=cohort.size,
        months=[_month(cohort, offset, mode) for offset in range(len(cohort.on))],
    )


def _month(cohort: semantics.Cohort, offset: int, mode: Mode) -> RetentionMonth:
    on = None if mode == "unbounded" else cohort.on[offset]
    unbounded = None if mode == "on" else cohort.unbounded[offset]
    return RetentionMonth(
        offset=offset,
        on=on,
        on_rate=None if on is None else rate(on, cohort.size),
        unbounded=unbounded,
        unbounded_rate=None if unbounded is None else rate(unbounded, cohort.size),
        complete=offset < cohort.complete,
        revenue=[
            amount(minor[offset], currency) for currency, minor in cohort.revenue.items() if minor[offset]
        ],
    )
