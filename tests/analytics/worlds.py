"""Random but possible companies: two pipelines, their deals, orders and complaints."""

from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import UUID

from contracts import opportunities as public

from tests.analytics.complaint_streams import COMPLAINT_STEPS, complaint_of
from tests.analytics.deal_streams import DEAL_STEPS, deal_of
from tests.analytics.order_streams import cancelled_order, placed
from tests.analytics.streams import CURRENCIES, PIPELINES, STAGES, TIMES

History = list[tuple[Any, datetime]]
LONG_AGO = datetime(2023, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class World:
    pipelines: list[History]
    deals: list[History]
    orders: list[History]
    complaints: list[History]

    @property
    def histories(self) -> list[History]:
        return [*self.pipelines, *self.deals, *self.orders, *self.complaints]


def world(random: Random, size: int = 8) -> World:
    return World(
        pipelines=[[(pipeline_defined(id), LONG_AGO)] for id in PIPELINES],
        deals=[_deal(UUID(int=0xD00 + n), random) for n in range(size)],
        orders=[_order(n, random) for n in range(size)],
        complaints=[_complaint(UUID(int=0xF00 + n), random) for n in range(size)],
    )


def pipeline_defined(
    id: UUID, version: int = 1, stages: list[str] = STAGES, name: str = "Pipeline"
) -> public.PipelineDefined:
    return public.PipelineDefined(
        pipeline_id=id,
        pipeline_version=version,
        name=f"{name} {id.int:x}",
        stages=tuple(public.Stage(stage_id=stage, name=stage.title(), milestone=None) for stage in stages),
    )


def _deal(id: UUID, random: Random) -> History:
    steps = [_step(DEAL_STEPS, random) for _ in range(random.randrange(14))]
    return list(deal_of(id, random.randrange(12), random.choice(TIMES), steps))


def _order(number: int, random: Random) -> History:
    customer_id, order_id = UUID(int=0xC00 + random.randrange(4)), UUID(int=0xE00 + number)
    at = random.choice(TIMES)
    history: History = [(placed(order_id, customer_id, random.choice(CURRENCIES), number * 100), at)]
    if random.random() < 0.3:
        history.append((cancelled_order(order_id, customer_id), max(at, random.choice(TIMES))))
    return history


def _complaint(id: UUID, random: Random) -> History:
    steps = [_step(COMPLAINT_STEPS, random) for _ in range(random.randrange(9))]
    return list(complaint_of(id, random.randrange(12), random.choice(TIMES), steps))


def _step(steps: list[str], random: Random) -> tuple[str, int, datetime]:
    return random.choice(steps), random.randrange(12), random.choice(TIMES)
