"""One pipeline, one deal and what is asked of them: the examples that the funnel's rules are told with."""

from datetime import UTC, date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from analytics.funnel.cells import Terms
from analytics.funnel.deal import BLANK, Deal, DealFact, project
from analytics.funnel.figures import Closed, Funnel, FunnelRow, Snapshot
from analytics.funnel.semantics import cells_of, closed, funnel, snapshot
from analytics.semantics import Period
from contracts import opportunities as public
from contracts.opportunities import Stage

from tests.analytics.streams import heard

PIPELINE = UUID(int=0xA0)
DEAL = UUID(int=0xD0)
ADA, GRACE = UUID(int=0xB0), UUID(int=0xB1)
SHANGHAI = ZoneInfo("Asia/Shanghai")
MAY = Period(date(2024, 5, 1), date(2024, 6, 1))
STAGES = tuple(
    Stage(stage_id=name, name=name, milestone=name)
    for name in ("lead", "first_contact", "needs_confirmed", "proposal_accepted", "signed")
)
BENCHMARKS = {
    "lead": 1.0,
    "first_contact": 0.25,
    "needs_confirmed": 0.60,
    "proposal_accepted": 0.40,
    "signed": 0.75,
}


def may(day: int, hour: int = 12) -> datetime:
    return datetime(2024, 5, day, hour, tzinfo=UTC)


def deal(*facts: tuple[DealFact, datetime]) -> Deal:
    state = BLANK
    for record in heard([(CREATED, may(1)), *facts]):
        state = project(state, record)
    return state


CREATED = public.OpportunityCreated(
    opportunity_id=DEAL,
    pipeline_id=PIPELINE,
    customer_id=None,
    source="fair",
    product="engine oil",
    owner_id=ADA,
    owner_team="north",
    amount_minor=100_00,
    currency="CNY",
    expected_close=None,
)


def entered(place: int, entry: int = 1) -> DealFact:
    return public.StageEntered(
        opportunity_id=DEAL,
        entry=entry,
        pipeline_id=PIPELINE,
        pipeline_version=1,
        stage_id=STAGES[place].stage_id,
        stage_order=place,
        previous_stage_id=None,
    )


def voided(entry: int) -> DealFact:
    return public.StageEntryVoided(opportunity_id=DEAL, entry=entry, stage_id="")


def won(minor: int = 100_00, attempt: int = 1) -> DealFact:
    return public.OpportunityWon(opportunity_id=DEAL, attempt=attempt, amount_minor=minor, currency="CNY")


def lost(reason: str = "price", attempt: int = 1) -> DealFact:
    return public.OpportunityLost(
        opportunity_id=DEAL, attempt=attempt, reason=reason, amount_minor=None, currency="CNY"
    )


REOPENED = public.OpportunityReopened(opportunity_id=DEAL, attempt=2)


def asked(*deals: Deal, terms: Terms | None = None, zone: ZoneInfo = SHANGHAI) -> Funnel:
    terms = terms or Terms()
    return funnel(
        cells_of(deals, zone, terms), PIPELINE, STAGES, MAY, zone, terms=terms, benchmarks=BENCHMARKS
    )


def row(*deals: Deal, terms: Terms | None = None) -> FunnelRow:
    return asked(*deals, terms=terms).rows[0]


def counts(*deals: Deal, terms: Terms | None = None) -> list[int]:
    return [step.n for step in row(*deals, terms=terms).steps]


def open_now(*deals: Deal) -> Snapshot:
    return snapshot(cells_of(deals, SHANGHAI), PIPELINE, STAGES)


def closings(*deals: Deal, terms: Terms | None = None) -> Closed:
    terms = terms or Terms()
    return closed(cells_of(deals, SHANGHAI, terms), PIPELINE, MAY, SHANGHAI, terms=terms)
