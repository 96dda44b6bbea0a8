"""A year of complaints: answered in time or late, resolved, confirmed, some of them opened again."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from crm.people import AGENTS

from demo.customers import CHANNELS, buyers
from demo.world import DAYS, Story, Year, owner

COMPLAINTS = 120
CASES = (
    ("product", "轴承破损 Broken bearing", "Three of forty arrived cracked."),
    ("product", "压力不足 Not enough pressure", "The pump does not reach the pressure of the data sheet."),
    ("delivery", "交货延迟 Late delivery", "Promised for Monday, nothing has come."),
    ("delivery", "数量不符 Wrong quantity", "Two boxes are missing."),
    ("billing", "发票有误 Wrong invoice", "The discount is not on the invoice."),
    ("service", "无人回电 Nobody called back", "Asked for a call twice."),
)
SOLUTIONS = (
    "Replaced free of charge.",
    "Sent the missing parts by courier.",
    "Corrected the invoice.",
    "A technician came.",
)


def complaints(year: Year) -> Iterator[Story]:
    chance = Random("complaints")
    customers = buyers()
    for number in range(COMPLAINTS):
        story = Story(year, "complaint", number)
        customer, _ = chance.choice(customers)
        # The last ones came in the last days, so that something is waiting.
        day = DAYS - 1 - number * 0.4 if number < 6 else 10 + (DAYS - 12) * chance.random()
        tell(story, chance, year.at(day, chance), customer)
        yield story


def tell(story: Story, chance: Random, at: datetime, customer: str) -> None:
    category, subject, description = chance.choice(CASES)
    agent = chance.choice(AGENTS)
    said = {
        "customer_id": customer,
        "subject": subject,
        "description": description,
        "channel": chance.choice(CHANNELS),
        "category": category,
        "priority": chance.choice(("normal", "normal", "normal", "urgent", "low")),
        **owner(agent),
    }
    story.tell(at, "complaints.register", said)
    # A day is promised; one in six waits longer, a few are never answered before they are resolved.
    late = chance.random()
    hours = chance.uniform(26, 70) if late < 0.16 else chance.uniform(0.3, 20)
    replied = at + timedelta(hours=hours)
    if late > 0.05:
        story.tell(replied, "complaints.send-first-reply", {"text": "We are sorry and are looking into it."})
    solved = resolve(story, chance, replied)
    if chance.random() < 0.1:
        again = solved + timedelta(days=chance.uniform(1, 9))
        story.tell(again, "complaints.reopen", {"reason": "It happened again."})
        solved = resolve(story, chance, again)
    if chance.random() < 0.75:
        story.tell(solved + timedelta(days=chance.uniform(0.2, 4)), "complaints.confirm")
        story.tell(solved + timedelta(days=chance.uniform(5, 10)), "complaints.close")


def resolve(story: Story, chance: Random, since: datetime) -> datetime:
    solved = since + timedelta(days=chance.expovariate(1 / 3) + 0.1)
    story.tell(solved, "complaints.resolve", {"solution": chance.choice(SOLUTIONS)})
    return solved
