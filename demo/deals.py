"""A year of deals in two pipelines: forward, skipping, back, handed over, won, lost and taken up again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from crm.people import REPS

from demo.customers import FIRMS, SOURCES
from demo.world import CURRENCY, DAYS, Story, Year, identity, money, owner

DEALS = 400
# How often a deal gets to a milestone from the one before: near the benchmarks 25, 60, 40 and 75 %.
CHANCES = {"first_contact": 0.27, "needs_confirmed": 0.62, "proposal_accepted": 0.43, "signed": 0.76}
# Some sources bring better deals.
LUCK = {"referral": 1.35, "fair": 1.1, "search": 0.95, "social": 0.8, "mail": 0.85}
PRODUCTS = (
    ("pump", 9_800),
    ("valve", 3_200),
    ("compressor", 48_000),
    ("control unit", 21_500),
    ("service plan", 12_000),
)
REASONS = ("price", "product", "authority", "timing", "competitor", "no-answer")


@dataclass(frozen=True, slots=True)
class Pipeline:
    """As the opportunities service offers it: a template that was defined."""

    id: str
    name: str
    stages: Sequence[dict[str, Any]]


def deals(year: Year, pipelines: Sequence[Pipeline]) -> Iterator["Deal"]:
    chance = Random("deals")
    for number in range(DEALS):
        pipeline = pipelines[0] if number % 10 < 7 else pipelines[-1]
        # A little more every month.
        day = 2 + (DAYS - 2) * chance.random() ** 0.9
        deal = Deal(year, number, pipeline, chance)
        deal.live(year.at(day, chance))
        yield deal


class Deal(Story):
    """`won_at` is when it was won, if it was."""

    def __init__(self, year: Year, number: int, pipeline: Pipeline, chance: Random) -> None:
        super().__init__(year, "deal", number)
        self.customer = number * 7 % FIRMS
        self.won_at: datetime | None = None
        self.amount = 0.0
        self._rep = self.customer % len(REPS)
        self._pipeline = pipeline
        self._chance = chance
        self._source = chance.choice(SOURCES)
        self._version = 0
        self._entries = 0
        self._stage = 0
        self._clock: datetime

    def live(self, begin: datetime) -> None:
        self._clock = begin
        self._create()
        while not self.ended:
            following = self._next_stage()
            if following is None:
                self._win()
                return
            milestone = self._pipeline.stages[following]["milestone"]
            if milestone and self._chance.random() > CHANCES[milestone] * LUCK[self._source]:
                if self._give_up() and not self._take_up_again():
                    return
                if self.ended:
                    return
            self._wait(3, 16)
            self._meanwhile()
            self._enter(following)
            self._wander(following)

    def _next_stage(self) -> int | None:
        """Now and then one without a milestone is skipped."""
        stages = self._pipeline.stages
        following = self._stage + 1
        if following < len(stages) - 1 and not stages[following]["milestone"] and self._chance.random() < 0.2:
            following += 1
        return following if following < len(stages) else None

    def _create(self) -> None:
        product, price = self._chance.choice(PRODUCTS)
        count = self._chance.choice((1, 2, 4, 8, 12))
        self.amount = price * count * self._chance.uniform(0.9, 1.05)
        self._version += 2
        self._entries = 1
        self.tell(
            self._clock,
            "opportunities.create",
            {
                "pipeline_id": self._pipeline.id,
                "customer_id": identity("company", self.customer),
                "title": f"{count} × {product}",
                "source": self._source,
                "product": product,
                "amount": money(self.amount),
                "currency": CURRENCY,
                "expected_close": (self._clock + timedelta(days=75)).date().isoformat(),
                **owner(REPS[self._rep]),
            },
        )

    def _enter(self, stage: int) -> None:
        self._stage = stage
        self._entries += 1
        self._do("opportunities.enter-stage", {"stage_id": self._pipeline.stages[stage]["stage_id"]})

    def _wander(self, stage: int) -> None:
        """Back a step and forward again, or into a wrong stage by mistake."""
        luck = self._chance.random()
        if luck < 0.07 and stage > 1:
            self._wait(2, 8)
            self._enter(stage - 1)
            self._wait(2, 8)
            self._enter(stage)
        elif luck < 0.11 and stage + 1 < len(self._pipeline.stages) - 1:
            self._wait(0, 1)
            self._enter(stage + 1)
            self._wait(0, 1)
            self._do("opportunities.void-stage-entry", {"entry": self._entries})
            self._stage = stage

    def _meanwhile(self) -> None:
        luck = self._chance.random()
        if luck < 0.05:
            self._rep = (self._rep + 3) % len(REPS)
            self._do("opportunities.reassign", owner(REPS[self._rep]), checked=True)
        elif luck < 0.15:
            self.amount *= self._chance.choice((0.85, 0.92, 1.1, 1.25))
            self._do("opportunities.change-amount", {"amount": money(self.amount)}, checked=True)
        elif luck < 0.22:
            later = (self._clock + timedelta(days=90)).date().isoformat()
            self._do("opportunities.change-expected-close", {"expected_close": later}, checked=True)

    def _give_up(self) -> bool:
        """Most deals that go no further are noted as lost; the others stay where they are."""
        self._wait(10, 45)
        if self._chance.random() < 0.12:
            self.ended = True
            return False
        return self._do("opportunities.lose", {"reason": self._chance.choice(REASONS)})

    def _take_up_again(self) -> bool:
        if self._chance.random() > 0.05:
            return False
        self._wait(20, 60)
        return self._do("opportunities.reopen", {})

    def _win(self) -> None:
        self._wait(0, 4)
        if self._do("opportunities.win", {}):
            self.won_at = self._clock

    def _do(self, command: str, data: dict[str, Any], *, checked: bool = False) -> bool:
        version, self._version = self._version, self._version + 1
        return self.tell(self._clock, command, data, if_match=f'"v{version}"' if checked else None)

    def _wait(self, least: int, most: int) -> None:
        self._clock += timedelta(days=self._chance.randint(least, most), minutes=self._chance.randint(5, 90))
