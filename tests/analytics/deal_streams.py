"""Random but possible histories of deals."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from analytics.funnel.deal import DealFact
from contracts import opportunities as public
from hypothesis import strategies as st

from tests.analytics.streams import CURRENCIES, OWNERS, PIPELINES, SOURCES, STAGES, History, choices, times


@st.composite
def deal_histories(draw: st.DrawFn, most: int = 4) -> list[History[DealFact]]:
    return [draw(deal_history(UUID(int=0xD00 + n))) for n in range(draw(st.integers(1, most)))]


@st.composite
def deal_history(draw: st.DrawFn, deal_id: UUID) -> History[DealFact]:
    steps = draw(st.lists(st.tuples(st.sampled_from(DEAL_STEPS), choices, times), max_size=14))
    return deal_of(deal_id, draw(choices), draw(times), steps)


DEAL_STEPS = "enter enter enter void reassign amount win lose reopen".split()


def deal_of(
    deal_id: UUID, choice: int, created_at: datetime, steps: Sequence[tuple[str, int, datetime]]
) -> History[DealFact]:
    """A deal that does what it is told where it can: a closed one can be reopened, an open one the rest."""
    deal = _Deal(deal_id, PIPELINES[choice % 2], CURRENCIES[choice % 2])
    history: History[DealFact] = [(deal.created(choice), created_at), (deal.enter(choice // 6), created_at)]
    for step, arg, at in steps:
        fact = deal.does(step, arg)
        if fact is not None:
            history.append((fact, at))
    return history


class _Deal:
    def __init__(self, deal_id: UUID, pipeline_id: UUID, currency: str) -> None:
        self.deal_id, self.pipeline_id, self.currency = deal_id, pipeline_id, currency
        self.entries: list[tuple[int, str]] = []
        self.last_entry, self.attempt, self.open = 0, 1, True

    def created(self, choice: int) -> DealFact:
        return public.OpportunityCreated(
            opportunity_id=self.deal_id,
            pipeline_id=self.pipeline_id,
            customer_id=None,
            source=SOURCES[choice % 3],
            product=None,
            owner_id=OWNERS[choice % 3],
            owner_team=None,
            amount_minor=None if choice % 4 == 0 else choice * 100,
            currency=self.currency,
            expected_close=None,
        )

    def enter(self, place: int) -> DealFact:
        previous = self.entries[-1][1] if self.entries else None
        self.last_entry += 1
        self.entries.append((self.last_entry, STAGES[place]))
        return public.StageEntered(
            opportunity_id=self.deal_id,
            entry=self.last_entry,
            pipeline_id=self.pipeline_id,
            pipeline_version=1,
            stage_id=STAGES[place],
            stage_order=place,
            previous_stage_id=previous,
        )

    def does(self, step: str, arg: int) -> DealFact | None:
        if not self.open:
            return self._reopen() if step == "reopen" else None
        match step:
            case "enter":
                return self.enter(arg % len(STAGES))
            case "void" if len(self.entries) > 1:
                entry, stage_id = self.entries.pop(arg % len(self.entries))
                return public.StageEntryVoided(opportunity_id=self.deal_id, entry=entry, stage_id=stage_id)
            case "reassign":
                return reassigned(self.deal_id, OWNERS[arg % 3])
            case "amount":
                return public.AmountChanged(
                    opportunity_id=self.deal_id,
                    amount_minor=arg * 10 or None,
                    currency=self.currency,
                    previous_amount_minor=None,
                )
            case "win" | "lose":
                self.open = False
                return self._closed(step, arg)
        return None

    def _closed(self, step: str, arg: int) -> DealFact:
        if step == "win":
            return public.OpportunityWon(
                opportunity_id=self.deal_id, attempt=self.attempt, amount_minor=arg, currency=self.currency
            )
        return public.OpportunityLost(
            opportunity_id=self.deal_id,
            attempt=self.attempt,
            reason=["price", "timing"][arg % 2],
            amount_minor=arg or None,
            currency=self.currency,
        )

    def _reopen(self) -> DealFact:
        self.open = True
        self.attempt += 1
        return public.OpportunityReopened(opportunity_id=self.deal_id, attempt=self.attempt)


def reassigned(deal_id: UUID, owner_id: UUID | None) -> DealFact:
    return public.OpportunityReassigned(
        opportunity_id=deal_id,
        owner_id=owner_id,
        owner_team=None,
        previous_owner_id=None,
        previous_owner_team=None,
    )
