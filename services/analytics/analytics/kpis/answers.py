"""Sales questions answered: which cells serve, what the semantics make of them, in the words of the API."""

import asyncio
from zoneinfo import ZoneInfo

from analytics.answering import PeriodOut, amount, as_of
from analytics.kpis import semantics
from analytics.kpis.models import SalesOut, SalesQuery, SalesRow
from analytics.reading import Knowledge
from analytics.semantics import Cells, Period
from analytics.views import orders


async def sales(known: Knowledge, query: SalesQuery, zone: ZoneInfo) -> SalesOut:
    period = query.period(known.now, zone)
    found = semantics.sales(await _cells(known, query, period, zone), period, zone, breakdown=query.breakdown)
    rows = [
        SalesRow(
            value=row.value,
            orders=row.orders,
            sales=amount(row.sales_minor, row.currency),
            cost=amount(row.cost_minor, row.currency),
            cost_ratio=row.cost_ratio,
        )
        for row in found.rows
    ]
    return SalesOut(
        **as_of(known),
        view=found.view,
        attribution=found.attribution,
        zone=zone.key,
        period=PeriodOut.of(period),
        breakdown=found.breakdown,
        rows=rows,
    )


async def _cells(known: Knowledge, query: SalesQuery, period: Period, zone: ZoneInfo) -> Cells:
    if await known.keeps(orders, zone):
        days = (period.start.isoformat(), period.end.isoformat())
        return await known.cells(orders, ("sales", query.breakdown), days)
    states = await known.states(orders)
    return await asyncio.to_thread(semantics.cells_of, states.values(), zone)
