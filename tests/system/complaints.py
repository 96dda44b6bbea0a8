"""The complaints of the story, and the facts that each command must give."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from contracts import service_desk as public

from tests.system.telling import Record

CHANNELS = ("phone", "mail")
HOURS = {"urgent": 4, "normal": 24}


class Complaint(Record):
    """Answered in time, late or never; resolved, sometimes again; its lateness is told by the service itself."""

    def live(self, customer: UUID, at: datetime, owners: Sequence[UUID | None]) -> None:
        self.register(customer, at, self.random.choice(owners))
        steps = self.random.choice(("", "a", "r", "ar", "rs", "rsc", "s", "rsosc", "arsosf", "sosf", "rsfo"))
        for step in steps:
            at += timedelta(hours=self.random.choice((1, 3, 20, 30, 100)))
            self.step(step, at, self.random.choice(owners))

    def register(self, customer: UUID, at: datetime, owner: UUID | None) -> None:
        self.owner, self.episode = owner, 1
        channel, priority = self.random.choice(CHANNELS), self.random.choice(tuple(HOURS))
        registered = public.ComplaintRegistered(
            complaint_id=self.id,
            customer_id=customer,
            person_id=None,
            channel=channel,
            category=None,
            priority=priority,
            owner_id=owner,
            owner_team=None,
            reply_due_at=at + timedelta(hours=HOURS[priority]),
            policy_id=UUID(int=0),
            policy_version=1,
        )
        said = {"channel": channel, "priority": priority, "owner_id": str(owner) if owner else None}
        words = {"subject": "Broken", "description": "It broke.", "customer_id": str(customer)}
        self.tell("complaints.register", at, registered, **said, **words)

    def step(self, step: str, at: datetime, owner: UUID | None) -> None:
        match step:
            case "a":
                self.assign(at, owner)
            case "r":
                replied = public.FirstReplySent(complaint_id=self.id)
                self.tell("complaints.send-first-reply", at, replied, text="We look into it.")
            case "s":
                solved = public.ComplaintResolved(complaint_id=self.id, episode=self.episode)
                self.tell("complaints.resolve", at, solved, solution="Replaced.")
            case "f":
                confirmed = public.ResolutionConfirmed(complaint_id=self.id, episode=self.episode)
                self.tell("complaints.confirm", at, confirmed)
            case "o":
                self.episode += 1
                reopened = public.ComplaintReopened(complaint_id=self.id, episode=self.episode)
                self.tell("complaints.reopen", at, reopened, reason="Broken again.")
            case "c":
                closed = public.ComplaintClosed(complaint_id=self.id, episode=self.episode)
                self.tell("complaints.close", at, closed)

    def assign(self, at: datetime, owner: UUID | None) -> None:
        before, self.owner = self.owner, owner
        assigned = public.ComplaintAssigned(
            complaint_id=self.id,
            owner_id=owner,
            owner_team=None,
            previous_owner_id=before,
            previous_owner_team=None,
        )
        said = str(owner) if owner else None
        # Whether its lateness was told by now nobody knows, so no version is named.
        facts = [assigned] if owner != before else []
        self.tell("complaints.assign", at, *facts, if_match="*", owner_id=said, owner_team=None)
