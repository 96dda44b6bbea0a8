"""The complaints' page: what came in, how fast it was answered, what is open."""

from itertools import pairwise

from analytics.console.grids import Cell, Column, Grid, count, label, percent, share
from analytics.console.page import Bar, Card, Choice, Page, named, rate_of, thousandths
from analytics.console.visits import Visit
from analytics.reading import Knowledge
from analytics.service.answers import service
from analytics.service.models import ServiceOut, ServiceQuery
from analytics.service.semantics import DeskRow

BREAKDOWNS = ("all", "owner", "channel")


async def page(known: Knowledge, visit: Visit) -> Page:
    t = visit.t
    whole = await service(known, visit.read(ServiceQuery, breakdown="all", daily="false"), visit.zone)
    parts = await service(known, visit.read(ServiceQuery, daily="false"), visit.zone)
    daily = await service(known, visit.read(ServiceQuery, daily="true"), visit.zone)
    return Page(
        t("Complaints"),
        whole,
        whole.zone,
        [_flow(parts, visit), _open(parts, visit), _daily(daily, visit)],
        {
            "answer": whole,
            "period": whole.period,
            "cards": cards(whole, visit),
            "bars": _replies(whole, visit),
            "choices": [
                Choice("breakdown", t("By"), [(name, t(name)) for name in BREAKDOWNS], parts.breakdown)
            ],
        },
    )


def cards(whole: ServiceOut, visit: Visit) -> list[Card]:
    t = visit.t
    flow, waiting = (whole.flow[0] if whole.flow else None), (whole.open[0] if whole.open else None)
    late, unanswered = (waiting.late, waiting.unanswered) if waiting else (0, 0)
    return [
        Card(
            t("Promised replies kept"),
            percent(flow.met_rate if flow else None),
            "",
            [t("{n} kept, {late} late", n=flow.met if flow else 0, late=flow.late if flow else 0)],
        ),
        Card(
            t("Answered within a day"),
            percent(flow.within_day if flow else None),
            "",
            [t("of {n} first replies", n=flow.replied if flow else 0)],
        ),
        Card(
            t("Resolved"),
            f"{flow.resolved if flow else 0:,}",
            "",
            [
                t("{n} came in", n=flow.registered if flow else 0),
                t("{rate} came back", rate=percent(flow.reopen_rate if flow else None)),
            ],
        ),
        Card(
            t("Open complaints"),
            f"{waiting.open if waiting else 0:,}",
            "",
            [t("{n} unanswered", n=unanswered), t("{n} of them late", n=late)],
            "bad" if late else "",
        ),
    ]


def _replies(whole: ServiceOut, visit: Visit) -> list[Bar]:
    if not whole.flow:
        return []
    t, replies, edges = visit.t, whole.flow[0].replies, whole.edges_hours
    names = [
        t("up to {hours} h", hours=edges[0]),
        *[t("{low} to {high} h", low=low, high=high) for low, high in pairwise(edges)],
        t("over {hours} h", hours=edges[-1]),
    ]
    most = max(replies) or 1
    return [
        Bar(name, f"{n:,}", thousandths(n / most), [(t("of all"), rate_of(n, sum(replies)), "")])
        for name, n in zip(names, replies, strict=True)
    ]


def _flow(answer: ServiceOut, visit: Visit) -> Grid:
    t = visit.t
    first = t("All") if answer.breakdown == "all" else t(answer.breakdown).capitalize()
    return Grid(
        "flow",
        t("What happened in the period"),
        [Column(first, numeric=False), *_columns(visit)],
        [[_value(row.value, answer, visit), *_numbers(row)] for row in answer.flow],
    )


def _daily(answer: ServiceOut, visit: Visit) -> Grid:
    t = visit.t
    return Grid(
        "days",
        t("Day by day"),
        [Column(t("Day"), numeric=False), Column(t(answer.breakdown).capitalize(), False), *_columns(visit)],
        [[label(row.day), _value(row.value, answer, visit), *_numbers(row)] for row in answer.flow],
    )


def _columns(visit: Visit) -> list[Column]:
    names = "Registered,Answered,Kept,Late,Kept rate,Resolved,Reopened,Confirmed,Closed,Within a day"
    return [Column(visit.t(name)) for name in names.split(",")]


def _numbers(row: DeskRow) -> list[Cell]:
    return [
        count(row.registered),
        count(row.replied),
        count(row.met),
        count(row.late, "bad" if row.late else ""),
        share(row.met_rate),
        count(row.resolved),
        count(row.reopened),
        count(row.confirmed),
        count(row.closed),
        share(row.within_day),
    ]


def _open(answer: ServiceOut, visit: Visit) -> Grid:
    t = visit.t
    first = t("All") if answer.breakdown == "all" else t(answer.breakdown).capitalize()
    return Grid(
        "open",
        t("Open now"),
        [
            Column(first, numeric=False),
            Column(t("Open")),
            Column(t("Unanswered")),
            Column(t("Late")),
            Column(t("Resolved, not closed")),
        ],
        [
            [
                _value(row.value, answer, visit),
                count(row.open),
                count(row.unanswered),
                count(row.late, "bad" if row.late else ""),
                count(row.unclosed),
            ]
            for row in answer.open
        ],
    )


def _value(value: str, answer: ServiceOut, visit: Visit) -> Cell:
    if answer.breakdown == "all":
        return label("", visit.t("All"))
    shown, title = named(value, visit)
    return label(value, shown, title)
