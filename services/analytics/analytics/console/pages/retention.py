"""Retention's page: cohorts by month as a table whose cells are shaded by how many came back."""

from analytics.console.grids import Cell, Column, Grid, count, label, percent
from analytics.console.page import Choice, Page
from analytics.console.visits import Visit
from analytics.reading import Knowledge
from analytics.retention.answers import retention
from analytics.retention.models import (
    RetentionCohort,
    RetentionMonth,
    RetentionOut,
    RetentionQuery,
    RetentionShare,
)

MODES = ("on", "unbounded")


async def page(known: Knowledge, visit: Visit) -> Page:
    mode = visit.chosen.get("mode", "on")
    query = visit.read(RetentionQuery, mode=mode if mode != "both" else "on")
    answer = await retention(known, query, visit.zone)
    return Page(
        visit.t("Retention"),
        answer,
        answer.zone,
        [_cohorts(answer, visit)],
        {
            "answer": answer,
            "period": answer.period,
            "choices": [
                Choice(
                    "mode",
                    visit.t("Counts who bought"),
                    [(name, visit.t(f"retention {name}")) for name in MODES],
                    answer.mode or "on",
                )
            ],
        },
    )


def _cohorts(answer: RetentionOut, visit: Visit) -> Grid:
    t = visit.t
    longest = max((len(cohort.months) for cohort in answer.cohorts), default=0)
    return Grid(
        "cohorts",
        t("Customers by the month of their first purchase, and how many bought again so many months later"),
        [
            Column(t("Month"), numeric=False),
            Column(t("Customers")),
            *[Column(f"+{n}") for n in range(longest)],
        ],
        [
            [label(cohort.month), count(cohort.size), *_months(cohort, answer, longest, visit)]
            for cohort in answer.cohorts
        ],
        foot=_foot(answer, longest, visit) if answer.shares else [],
        note=t("The last row is of all cohorts for which that month is over."),
        look="heat",
    )


def _months(cohort: RetentionCohort, answer: RetentionOut, longest: int, visit: Visit) -> list[Cell]:
    cells = [_cell(month, answer, visit) for month in cohort.months]
    return cells + [Cell("", None, "void")] * (longest - len(cells))


def _cell(month: RetentionMonth, answer: RetentionOut, visit: Visit) -> Cell:
    n, rate = month.on, month.on_rate
    if answer.mode == "unbounded":
        n, rate = month.unbounded, month.unbounded_rate
    look = shade(rate) if month.complete else f"{shade(rate)} running"
    title = visit.t("{n} customers", n=n or 0)
    if not month.complete:
        title = f"{title}, {visit.t('the month is not over')}"
    return Cell(percent(rate), None if rate is None else round(rate, 6), look, title)


def shade(rate: float | None) -> str:
    return "void" if rate is None else f"h{round(rate * 10)}"


def _foot(answer: RetentionOut, longest: int, visit: Visit) -> list[Cell]:
    shares = [_share(share, answer) for share in answer.shares]
    customers = answer.shares[0].customers
    head = [label(visit.t("All")), count(customers)]
    return [*head, *shares, *[Cell("", None, "void")] * (longest - len(shares))]


def _share(share: RetentionShare, answer: RetentionOut) -> Cell:
    rate = share.unbounded_rate if answer.mode == "unbounded" else share.on_rate
    return Cell(percent(rate), None if rate is None else round(rate, 6), shade(rate))
