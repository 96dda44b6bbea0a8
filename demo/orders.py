"""A year of orders: what was won, and customers who come back, fewer every month."""

from collections.abc import Iterator, Sequence
from random import Random

from demo.customers import buyers, rep_of
from demo.deals import PRODUCTS, Deal
from demo.world import DAYS, Story, Year, identity, money, owner

MONTH = 30.4
# The chance of an order in a later month: half of the customers come back soon, then ever fewer.
RETURN, FADING = 0.6, 0.92


def orders(year: Year, won: Sequence[Deal]) -> Iterator[Story]:
    chance = Random("orders")
    number = 0
    for deal in won:
        number += 1
        story = Story(year, "order", number)
        assert deal.won_at
        data = basket(chance, deal.amount)
        data |= {"customer_id": identity("company", deal.customer), "opportunity_id": deal.id}
        story.tell(deal.won_at, "orders.place", data | owner(rep_of(deal.customer)))
        yield story
    for customer, rep in buyers():
        first = DAYS * chance.random() ** 1.2
        for month in range(12):
            if month and chance.random() > RETURN * FADING**month:
                continue
            day = first + month * MONTH + chance.uniform(-8, 8) * bool(month)
            number += 1
            yield order(year, chance, number, customer, rep, max(day, first))


def order(year: Year, chance: Random, number: int, customer: str, rep: int, day: float) -> Story:
    story = Story(year, "order", number)
    at = year.at(2 + day, chance)
    total = chance.lognormvariate(8.2, 0.8)
    story.tell(at, "orders.place", basket(chance, total) | {"customer_id": customer} | owner(rep_of(rep)))
    if chance.random() < 0.02:
        story.tell(
            year.at(4 + day, chance), "orders.cancel", {"reason": chance.choice(("changed-mind", "delivery"))}
        )
    return story


def basket(chance: Random, total: float) -> dict[str, object]:
    """Lines that come near the total, and what the order costs us."""
    product, price = chance.choice(PRODUCTS)
    quantity = max(1, round(total / price))
    unit = round(total / quantity, 2)
    paid = unit * quantity
    return {
        "lines": [{"product": product, "quantity": quantity, "unit_price": money(unit)}],
        "product_cost": money(paid * chance.uniform(0.36, 0.46)),
        "sales_cost": money(paid * chance.uniform(0.04, 0.08)),
        "service_cost": money(paid * chance.uniform(0.02, 0.05)),
    }
