"""The first page: the key numbers of the last twelve months, and how far the figures are."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from kernel.domain.money import Money
from kernel.web.fields import MoneyField

from analytics.answering import money
from analytics.console.grids import (
    Cell,
    Column,
    Grid,
    amounts,
    count,
    label,
    moment,
    percent,
    plain,
    readable,
    share,
)
from analytics.console.page import Card, Page, named, rate_of
from analytics.console.pages import service as complaints
from analytics.console.visits import Visit
from analytics.freshness.api import FreshnessOut, freshness
from analytics.funnel.answers import closed, snapshot
from analytics.funnel.models import FunnelQuery
from analytics.kpis.answers import sales
from analytics.kpis.models import SalesOut, SalesQuery
from analytics.pipelines.answers import PipelineOut, list_pipelines
from analytics.reading import Knowledge
from analytics.retention.answers import retention
from analytics.retention.models import RetentionOut, RetentionQuery
from analytics.service.answers import service
from analytics.service.models import ServiceQuery


class PipelineFigures(NamedTuple):
    pipeline: PipelineOut
    open: int
    open_value: Sequence[MoneyField]
    won: int
    won_value: Sequence[MoneyField]
    lost: int
    win_rate: float | None


async def page(known: Knowledge, visit: Visit) -> Page:
    fresh = await freshness(known)
    found = await sales(known, visit.read(SalesQuery, breakdown="all"), visit.zone)
    teams = await sales(known, visit.read(SalesQuery, breakdown="team"), visit.zone)
    back = await retention(known, RetentionQuery(zone=visit.zone.key), visit.zone)
    desk = await service(known, visit.read(ServiceQuery, breakdown="all", daily="false"), visit.zone)
    pipelines = [await _pipeline(known, each, visit) for each in (await list_pipelines(known)).items]
    cards = [_sales_card(found, visit), *_deal_cards(pipelines, visit), _back_card(back, visit)]
    grids = [_pipelines(pipelines, visit), _sales(teams, visit), _sources(fresh, visit)]
    if fresh.parked_streams:
        grids.append(_parked(fresh, visit))
    return Page(
        visit.t("Overview"),
        fresh,
        visit.zone.key,
        grids,
        {"cards": [*cards, *complaints.cards(desk, visit)[::3]], "period": found.period},
    )


async def _pipeline(known: Knowledge, pipeline: PipelineOut, visit: Visit) -> PipelineFigures:
    query = visit.read(FunnelQuery, pipeline_id=str(pipeline.id), breakdown="all")
    standing = await snapshot(known, query, visit.zone)
    ended = await closed(known, query, visit.zone)
    stages = standing.rows[0].stages if standing.rows else []
    row = ended.rows[0] if ended.rows else None
    return PipelineFigures(
        pipeline,
        sum(stage.n for stage in stages),
        _sum([stage.value for stage in stages]),
        row.won if row else 0,
        row.won_value if row else [],
        row.lost if row else 0,
        row.win_rate if row else None,
    )


def _sum(values: Sequence[Sequence[MoneyField]]) -> list[MoneyField]:
    minor: Counter[str] = Counter()
    for value in values:
        for part in value:
            minor[part.currency] += Money.parse(part.amount, part.currency).minor
    return money(minor)


def _sales_card(found: SalesOut, visit: Visit) -> Card:
    t, rows = visit.t, found.rows
    if not rows:
        return Card(t("Sales"), "0")
    others = [readable(row.sales) for row in rows[1:]]
    orders = t("{n} orders", n=sum(row.orders for row in rows))
    sold = rows[0].sales
    return Card(t("Sales"), plain(sold, whole=True), sold.currency, [*others, orders])


def _deal_cards(pipelines: Sequence[PipelineFigures], visit: Visit) -> list[Card]:
    t = visit.t
    won, lost = sum(each.won for each in pipelines), sum(each.lost for each in pipelines)
    value = _sum([each.open_value for each in pipelines])
    return [
        Card(t("Win rate"), rate_of(won, won + lost), "", [t("{won} won, {lost} lost", won=won, lost=lost)]),
        Card(
            t("Open deals"),
            f"{sum(each.open for each in pipelines):,}",
            "",
            [readable(part) for part in value],
        ),
    ]


def _back_card(back: RetentionOut, visit: Visit) -> Card:
    second = back.shares[1] if len(back.shares) > 1 else None
    return Card(
        visit.t("Bought again a month later"),
        percent(second.on_rate if second else None),
        "",
        [visit.t("of {n} customers", n=second.customers if second else 0)],
    )


def _pipelines(pipelines: Sequence[PipelineFigures], visit: Visit) -> Grid:
    t = visit.t
    names = "Open deals,Value,Won,Value won,Lost,Win rate"
    return Grid(
        "pipelines",
        t("Pipelines: open now, and closed in the period"),
        [Column(t("Pipeline"), numeric=False), *[Column(t(name)) for name in names.split(",")]],
        [
            [
                label(each.pipeline.name),
                count(each.open),
                amounts(each.open_value),
                count(each.won),
                amounts(each.won_value),
                count(each.lost),
                share(each.win_rate),
            ]
            for each in pipelines
        ],
    )


def _sales(found: SalesOut, visit: Visit) -> Grid:
    t = visit.t
    names = "Currency,Orders,Sales,Cost,Cost ratio"
    return Grid(
        "sales",
        t("Sales by team"),
        [
            Column(t("Team"), numeric=False),
            *[Column(t(name), name != "Currency") for name in names.split(",")],
        ],
        [
            [
                label(row.value, named(row.value, visit)[0]),
                label(row.sales.currency),
                count(row.orders),
                Cell(plain(row.sales), row.sales.amount),
                Cell(plain(row.cost), row.cost.amount),
                share(row.cost_ratio),
            ]
            for row in found.rows
        ],
    )


def _sources(fresh: FreshnessOut, visit: Visit) -> Grid:
    t = visit.t
    return Grid(
        "sources",
        t("How far the figures are"),
        [Column(t("Source"), numeric=False), Column(t("Complete up to")), Column(t("Position"))],
        [[label(each.source), moment(each.complete_at), count(each.position)] for each in fresh.sources],
    )


def _parked(fresh: FreshnessOut, visit: Visit) -> Grid:
    t = visit.t
    names = "Source,Stream,From position,Records,Why"
    return Grid(
        "parked",
        t("Left out until repaired"),
        [
            Column(t("View"), numeric=False),
            *[Column(t(name), name in ("From position", "Records")) for name in names.split(",")],
        ],
        [
            [
                label(each.view),
                label(each.source),
                label(str(each.stream_id)),
                count(each.position),
                count(each.records),
                label(each.error),
            ]
            for each in fresh.parked_streams
        ],
    )
