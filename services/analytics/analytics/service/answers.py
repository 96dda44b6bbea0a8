"""Complaint questions answered: which cells serve, what the semantics make of them, in the words of the API."""

import asyncio
from zoneinfo import ZoneInfo

from analytics.answering import PeriodOut, as_of
from analytics.reading import Knowledge
from analytics.semantics import Cells, Period
from analytics.service import semantics
from analytics.service.models import ServiceOut, ServiceQuery
from analytics.views import complaints

_EDGES = [int(edge.total_seconds()) // 3600 for edge in semantics.EDGES]


async def service(known: Knowledge, query: ServiceQuery, zone: ZoneInfo) -> ServiceOut:
    period = query.period(known.now, zone)
    cells = await _cells(known, query, period, zone)
    desk = semantics.desk(cells, period, zone, breakdown=query.breakdown, daily=query.daily)
    return ServiceOut(
        **as_of(known),
        view=desk.view,
        attribution=desk.attribution,
        zone=zone.key,
        period=PeriodOut.of(period),
        breakdown=desk.breakdown,
        edges_hours=_EDGES,
        flow=desk.flow,
        open=desk.open,
    )


async def _cells(known: Knowledge, query: ServiceQuery, period: Period, zone: ZoneInfo) -> Cells:
    if await known.keeps(complaints, zone):
        days = (period.start.isoformat(), period.end.isoformat())
        flow = await known.cells(complaints, ("flow", query.breakdown), days)
        return flow | await known.cells(complaints, ("open", query.breakdown))
    states = await known.states(complaints)
    return await asyncio.to_thread(semantics.cells_of, states.values(), zone)
