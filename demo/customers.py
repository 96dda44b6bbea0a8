"""The company's customers: sixty firms with the people in them, and private customers who order again and again."""

from collections.abc import Iterator
from random import Random

from crm.people import REPS, Person

from demo.world import Story, Year, identity, money, owner

FIRMS = 60
PRIVATE = 170
PLACES = (
    ("长安", "Chang'an"), ("苏州", "Suzhou"), ("青岛", "Qingdao"), ("成都", "Chengdu"), ("武汉", "Wuhan"),
    ("宁波", "Ningbo"), ("厦门", "Xiamen"), ("大连", "Dalian"), ("昆明", "Kunming"), ("长沙", "Changsha"),
)  # fmt: skip
TRADES = (
    ("精密机械", "Precision Machinery", "machinery"),
    ("电子科技", "Electronics", "electronics"),
    ("食品", "Foods", "food"),
    ("物流", "Logistics", "logistics"),
    ("医疗器械", "Medical Devices", "medical"),
    ("新材料", "New Materials", "materials"),
)
FAMILIES = "王 Wang|李 Li|张 Zhang|刘 Liu|陈 Chen|杨 Yang|黄 Huang|赵 Zhao|吴 Wu|周 Zhou|徐 Xu|孙 Sun".split(
    "|"
)
GIVEN = (
    "伟 Wei|娜 Na|敏 Min|静 Jing|磊 Lei|洋 Yang|艳 Yan|勇 Yong|杰 Jie|娟 Juan|涛 Tao|明 Ming|超 Chao".split(
        "|"
    )
)
POSITIONS = ("head of purchasing", "managing director", "plant manager", "engineer", "finance director")
ROLES = ("decider", "influencer", "user", "gatekeeper", "champion")
CHANNELS = ("phone", "wecom", "mail")
SOURCES = ("fair", "referral", "search", "social", "mail")


def firms(year: Year) -> Iterator[Story]:
    chance = Random("firms")
    for number in range(FIRMS):
        place, trade = PLACES[number % len(PLACES)], TRADES[number // len(PLACES)]
        story = Story(year, "company", number)
        employees = int(chance.lognormvariate(5, 1))
        story.tell(
            year.at(0, chance),
            "companies.register",
            {
                "name": f"{place[0]}{trade[0]} {place[1]} {trade[1]}",
                "industry": trade[2],
                "country": "CN",
                "employees": employees,
                "annual_revenue": money(employees * chance.randrange(300, 900) * 1000),
                "founded": chance.randrange(1985, 2019),
                "source": chance.choice(SOURCES),
                **owner(rep_of(number)),
            },
        )
        yield story


def people(year: Year) -> Iterator[Story]:
    """Two or three in each firm, then the private customers."""
    chance = Random("people")
    number = 0
    for firm in range(FIRMS):
        for _ in range(chance.choice((2, 2, 3))):
            work = {
                "company_id": identity("company", firm),
                "position": chance.choice(POSITIONS),
                "decision_role": chance.choice(ROLES),
            }
            yield person(year, chance, number, work, rep_of(firm))
            number += 1
    for private in range(PRIVATE):
        yield person(year, chance, 1000 + private, {}, rep_of(private))


def person(year: Year, chance: Random, number: int, work: dict[str, str], rep: Person) -> Story:
    family, given = chance.choice(FAMILIES).split(), chance.choice(GIVEN).split()
    story = Story(year, "contact", number)
    story.tell(
        year.at(1, chance),
        "contacts.register",
        {
            "name": f"{family[0]}{given[0]} {family[1]} {given[1]}",
            "email": f"{given[1]}.{family[1]}{number}@customers.example".lower(),
            "phone": f"+86 21 5550 {number:04}",
            "preferred_channel": chance.choice(CHANNELS),
            "source": chance.choice(SOURCES),
            **work,
            **owner(rep),
        },
    )
    return story


def rep_of(number: int) -> Person:
    return REPS[number % len(REPS)]


def buyers() -> list[tuple[str, int]]:
    """Everybody who orders, with the number of their rep."""
    firms_ = [(identity("company", number), number) for number in range(FIRMS)]
    return firms_ + [(identity("contact", 1000 + number), number) for number in range(PRIVATE)]
