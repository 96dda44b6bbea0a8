"""A year of a company that looks like one: what the console is shown with."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from contracts import opportunities as public
from contracts import service_desk as desk
from contracts.opportunities import Stage

History = list[tuple[Any, datetime]]

PIPELINE = UUID(int=0x5E7E4)
STAGES = [
    Stage(stage_id="lead", name="Lead", milestone="lead"),
    Stage(stage_id="first-contact", name="First contact", milestone="first_contact"),
    Stage(stage_id="needs", name="Needs confirmed", milestone="needs_confirmed"),
    Stage(stage_id="proposal", name="Proposal sent", milestone=None),
    Stage(stage_id="accepted", name="Proposal accepted", milestone="proposal_accepted"),
    Stage(stage_id="signed", name="Contract signed", milestone="signed"),
]
GOES_ON = [0.31, 0.57, 0.8, 0.55, 0.7]
PEOPLE = [(UUID(int=0x0A11CE0000 + n), team) for n, team in enumerate(["north", "north", "south", "west"])]


def showcase(now: datetime, deals: int = 400, seed: int = 11) -> list[History]:
    random = Random(seed)
    day = now.replace(hour=9, minute=0, second=0, microsecond=0)
    return [
        [(defined(), day - timedelta(days=800))],
        *[_deal(n, day - timedelta(days=random.random() * 360), day, random) for n in range(deals)],
        *_orders(day, random),
        *[_complaint(n, day - timedelta(days=random.random() * 350), day, random) for n in range(deals // 5)],
    ]


def defined() -> public.PipelineDefined:
    return public.PipelineDefined(
        pipeline_id=PIPELINE, pipeline_version=1, name="New customers", stages=tuple(STAGES)
    )


def _deal(number: int, at: datetime, now: datetime, random: Random) -> History:
    id, (owner, team) = UUID(int=0xDEA1_0000 + number), random.choice(PEOPLE)
    minor = random.randrange(5, 400) * 1000_00
    currency = "EUR" if random.random() < 0.2 else "CNY"
    created = public.OpportunityCreated(
        opportunity_id=id,
        pipeline_id=PIPELINE,
        customer_id=None,
        source=random.choice(["fair", "referral", "web", None]),
        product=random.choice(["pumps", "valves"]),
        owner_id=owner,
        owner_team=team,
        amount_minor=minor,
        currency=currency,
        expected_close=None,
    )
    history: History = [(created, at)]
    for place, stage in enumerate(STAGES):
        if place and (random.random() > GOES_ON[place - 1] or at > now):
            break
        history.append((_entered(id, place, stage.stage_id), at))
        at += timedelta(days=1 + random.random() * 12)
    if at > now:
        return [each for each in history if each[1] <= now]
    if len(history) == len(STAGES) + 1:
        won = public.OpportunityWon(opportunity_id=id, attempt=1, amount_minor=minor, currency=currency)
        history.append((won, at))
    elif random.random() < 0.8:
        reason = random.choice(["price", "timing", "competitor", "no budget"])
        history.append(
            (
                public.OpportunityLost(
                    opportunity_id=id, attempt=1, reason=reason, amount_minor=minor, currency=currency
                ),
                at,
            )
        )
    return history


def _entered(id: UUID, place: int, stage_id: str) -> public.StageEntered:
    return public.StageEntered(
        opportunity_id=id,
        entry=place + 1,
        pipeline_id=PIPELINE,
        pipeline_version=1,
        stage_id=stage_id,
        stage_order=place,
        previous_stage_id=None,
    )


def _orders(now: datetime, random: Random) -> list[History]:
    histories: list[History] = []
    for number in range(160):
        at, stays = now - timedelta(days=random.random() * 360), random.random()
        customer = UUID(int=0xC05_0000 + number)
        while at <= now:
            histories.append([(_placed(customer, len(histories), random), at)])
            if random.random() > 0.35 + stays * 0.6:
                break
            at += timedelta(days=12 + random.random() * 40)
    return histories


def _placed(customer: UUID, number: int, random: Random) -> public.OrderPlaced:
    owner, team = random.choice(PEOPLE)
    total = random.randrange(2, 90) * 1000_00
    return public.OrderPlaced(
        order_id=UUID(int=0x0DE5_0000 + number),
        customer_id=customer,
        opportunity_id=None,
        owner_id=owner,
        owner_team=team,
        currency="EUR" if random.random() < 0.15 else "CNY",
        total_minor=total,
        lines=(),
        product_cost_minor=total * 3 // 10,
        sales_cost_minor=total // 10,
        service_cost_minor=total // 20,
    )


def _complaint(number: int, at: datetime, now: datetime, random: Random) -> History:
    id, (owner, team) = UUID(int=0xF00_0000 + number), random.choice(PEOPLE)
    due = at + timedelta(hours=24)
    registered = desk.ComplaintRegistered(
        complaint_id=id,
        customer_id=UUID(int=0xC05_0000),
        person_id=None,
        channel=random.choice(["phone", "mail", "chat"]),
        category="delivery",
        priority="normal",
        owner_id=owner,
        owner_team=team,
        reply_due_at=due,
        policy_id=UUID(int=1),
        policy_version=1,
    )
    history: History = [(registered, at)]
    replied_at = at + timedelta(hours=min(0.2 + random.expovariate(1 / 9), 200))
    if replied_at > due and due < now:
        history.append((desk.FirstReplyOverdue(complaint_id=id, due_at=due), due))
    if random.random() < 0.94 and replied_at < now:
        history.append((desk.FirstReplySent(complaint_id=id), replied_at))
        resolved_at = replied_at + timedelta(hours=random.random() * 90)
        if random.random() < 0.88 and resolved_at < now:
            history.append((desk.ComplaintResolved(complaint_id=id, episode=1), resolved_at))
            if random.random() < 0.7:
                history.append((desk.ComplaintClosed(complaint_id=id, episode=1), resolved_at))
    return history


NOW = datetime(2026, 6, 18, 9, 0, tzinfo=UTC)
