"""The deals and orders of the story, and the facts that each command must give."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from contracts import opportunities as public

from tests.system.telling import Record, money

SOURCES = ("fair", "referral", None)
REASONS = ("price", "timing")
STAGES = ("lead", "contact", "needs", "proposal", "signed")


class Deal(Record):
    """Goes forward, skips, goes back, is put right, handed on, closed and opened again."""

    def __init__(self, random: Random, pipeline: UUID, company: UUID, owners: Sequence[UUID | None]) -> None:
        super().__init__("opportunities", random)
        self.pipeline, self.owners = pipeline, owners
        self.owner = random.choice(owners)
        self.currency = random.choice(("CNY", "CNY", "JPY"))
        self.minor = random.randrange(1, 1000) * 100
        self.entries: list[tuple[int, int]] = []
        self.last_entry, self.attempt, self.open = 0, 1, True
        self.company = company

    def live(self, at: datetime) -> None:
        self.create(at)
        for _ in range(self.random.choice((0, 2, 3, 4, 5, 6, 8))):
            at += timedelta(hours=self.random.randrange(1, 400))
            # Some of what happened is told late, after what came later.
            self.step(at - timedelta(days=self.random.choice((0, 0, 0, 0, 9))))

    def create(self, at: datetime) -> None:
        source = self.random.choice(SOURCES)
        created = public.OpportunityCreated(
            opportunity_id=self.id,
            pipeline_id=self.pipeline,
            customer_id=self.company,
            source=source,
            product=None,
            owner_id=self.owner,
            owner_team=None,
            amount_minor=self.minor,
            currency=self.currency,
            expected_close=None,
        )
        self.tell(
            "opportunities.create",
            at,
            created,
            self.entered(0),
            pipeline_id=str(self.pipeline),
            customer_id=str(self.company),
            title=f"Deal {self.id}",
            source=source,
            owner_id=str(self.owner) if self.owner else None,
            amount=money(self.minor, self.currency),
            currency=self.currency,
        )

    def entered(self, place: int) -> public.StageEntered:
        previous = STAGES[self.entries[-1][1]] if self.entries else None
        self.last_entry += 1
        self.entries.append((self.last_entry, place))
        return public.StageEntered(
            opportunity_id=self.id,
            entry=self.last_entry,
            pipeline_id=self.pipeline,
            pipeline_version=1,
            stage_id=STAGES[place],
            stage_order=place,
            previous_stage_id=previous,
        )

    def step(self, at: datetime) -> None:
        if not self.open:
            if self.random.random() < 0.4:
                self.open, self.attempt = True, self.attempt + 1
                reopened = public.OpportunityReopened(opportunity_id=self.id, attempt=self.attempt)
                self.tell("opportunities.reopen", at, reopened)
            return
        kinds = (self.enter, self.enter, self.enter, self.void, self.reassign, self.win, self.lose)
        self.random.choice(kinds)(at)

    def enter(self, at: datetime) -> None:
        """Mostly one stage on; sometimes two on, or one back; sometimes where it already is."""
        now = self.entries[-1][1]
        place = min(max(now + self.random.choice((1, 1, 1, 2, -1, 0)), 0), len(STAGES) - 1)
        facts = [self.entered(place)] if place != now else []
        self.tell("opportunities.enter-stage", at, *facts, stage_id=STAGES[place])

    def void(self, at: datetime) -> None:
        if len(self.entries) == 1:
            return
        entry, place = self.entries.pop(self.random.randrange(len(self.entries)))
        fact = public.StageEntryVoided(opportunity_id=self.id, entry=entry, stage_id=STAGES[place])
        self.tell("opportunities.void-stage-entry", at, fact, entry=entry)

    def reassign(self, at: datetime) -> None:
        before, self.owner = self.owner, self.random.choice(self.owners)
        fact = public.OpportunityReassigned(
            opportunity_id=self.id,
            owner_id=self.owner,
            owner_team=None,
            previous_owner_id=before,
            previous_owner_team=None,
        )
        facts = [fact] if self.owner != before else []
        said = str(self.owner) if self.owner else None
        self.tell("opportunities.reassign", at, *facts, if_match=self.here, owner_id=said, owner_team=None)

    def win(self, at: datetime) -> None:
        """For what it was worth, or for another amount, which is two facts of one command."""
        before, facts = self.minor, list[object]()
        if self.random.random() < 0.5:
            self.minor += 500
            facts.append(
                public.AmountChanged(
                    opportunity_id=self.id,
                    amount_minor=self.minor,
                    currency=self.currency,
                    previous_amount_minor=before,
                )
            )
        facts.append(
            public.OpportunityWon(
                opportunity_id=self.id, attempt=self.attempt, amount_minor=self.minor, currency=self.currency
            )
        )
        self.open = False
        self.tell("opportunities.win", at, *facts, amount=money(self.minor, self.currency))

    def lose(self, at: datetime) -> None:
        reason = self.random.choice(REASONS)
        fact = public.OpportunityLost(
            opportunity_id=self.id,
            attempt=self.attempt,
            reason=reason,
            amount_minor=self.minor,
            currency=self.currency,
        )
        self.open = False
        self.tell("opportunities.lose", at, fact, reason=reason, note=f"Lost {self.id}")


class Order(Record):
    def live(self, customer: UUID, at: datetime) -> None:
        random = self.random
        currency, quantity, minor = (
            random.choice(("CNY", "JPY")),
            random.randrange(1, 9),
            random.randrange(1, 9000),
        )
        common = {
            "order_id": self.id,
            "customer_id": customer,
            "currency": currency,
            "total_minor": quantity * minor,
        }
        line = public.OrderLine(product="pump", quantity=quantity, unit_price_minor=minor)
        placed = public.OrderPlaced(
            **common,  # type: ignore[arg-type]
            opportunity_id=None,
            owner_id=None,
            owner_team=None,
            lines=(line,),
            product_cost_minor=0,
            sales_cost_minor=0,
            service_cost_minor=0,
        )
        said = {"product": "pump", "quantity": quantity, "unit_price": money(minor, currency)}
        self.tell("orders.place", at, placed, customer_id=str(customer), lines=[said])
        if random.random() < 0.2:
            cancelled = public.OrderCancelled(**common, reason="mistake")  # type: ignore[arg-type]
            self.tell("orders.cancel", at + timedelta(days=random.randrange(60)), cancelled, reason="mistake")
