"""A small company's year, made of a seed: the same commands, in the same order, every time."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

from contracts import opportunities as public
from service_desk.policy.decider import REPLY_POLICY_ID

from tests.system.complaints import HOURS, Complaint
from tests.system.sales import STAGES, Deal, Order
from tests.system.telling import Record, Told

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
PIPELINE = UUID("00000000-0000-4000-8000-00000000a001")
MILESTONES = ("lead", "first_contact", "needs_confirmed", "proposal_accepted", "signed")
OWNERS: Sequence[UUID | None] = (UUID(int=0xB1), UUID(int=0xB2), None)


class Story:
    """`rules` come first, alone; `first` and `second` are two loads, most records having a part in both."""

    def __init__(self, seed: int = 2026) -> None:
        self._random = Random(seed)
        companies = [self._company(number) for number in range(40)]
        ids = [company.id for company in companies]
        customers = [UUID(int=self._random.getrandbits(128), version=4) for _ in range(150)]
        records: list[Record] = [
            *companies,
            *(self._deal(ids) for _ in range(300)),
            *(self._order(customers) for _ in range(400)),
            *(self._complaint(customers) for _ in range(60)),
        ]
        self.rules = list(self._rules())
        told = self._shuffled(records)
        middle = len(told) // 2
        self.first, self.second = told[:middle], told[middle:]

    @property
    def everything(self) -> list[Told]:
        return [*self.rules, *self.first, *self.second]

    def _rules(self) -> Iterator[Told]:
        policy, pipeline = Record("service-desk", self._random), Record("opportunities", self._random)
        pipeline.id, policy.id = PIPELINE, REPLY_POLICY_ID
        stages = [
            public.Stage(stage_id=id, name=id, milestone=milestone)
            for id, milestone in zip(STAGES, MILESTONES, strict=True)
        ]
        defined = public.PipelineDefined(
            pipeline_id=PIPELINE, pipeline_version=1, name="Direct", stages=tuple(stages)
        )
        said = [{"stage_id": s.stage_id, "name": s.name, "milestone": s.milestone} for s in stages]
        pipeline.tell("pipelines.define", BEGIN, defined, name="Direct", stages=said)
        policy.tell(
            "reply-policy.define",
            BEGIN,
            "one fact, which no figure counts",
            if_match='"v0"',
            default_hours=HOURS["normal"],
            hours={"urgent": HOURS["urgent"]},
        )
        yield from (*pipeline.told, *policy.told)

    def _company(self, number: int) -> Record:
        company = Record("contacts", self._random)
        company.tell("companies.register", self._some_time(), "registered", name=f"Company {number}")
        return company

    def _deal(self, companies: Sequence[UUID]) -> Record:
        deal = Deal(self._random, PIPELINE, self._random.choice(companies), OWNERS)
        deal.live(self._some_time())
        return deal

    def _order(self, customers: Sequence[UUID]) -> Record:
        order = Order("opportunities", self._random)
        order.live(self._random.choice(customers), self._some_time())
        return order

    def _complaint(self, customers: Sequence[UUID]) -> Record:
        complaint = Complaint("service-desk", self._random)
        complaint.live(self._random.choice(customers), self._some_time(), OWNERS)
        return complaint

    def _some_time(self) -> datetime:
        """To the hour, so that many fall on the ends of days and months in the company's zone."""
        return BEGIN + timedelta(hours=self._random.randrange(365 * 24))

    def _shuffled(self, records: Iterable[Record]) -> list[Told]:
        """Told in any order but each record's own: its commands lie far apart, with others' between them."""
        places = [
            (place, told)
            for record in records
            for place, told in zip(
                sorted(self._random.random() for _ in record.told), record.told, strict=True
            )
        ]
        return [told for _, told in sorted(places, key=lambda entry: entry[0])]
