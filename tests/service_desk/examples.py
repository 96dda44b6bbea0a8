"""Named people, times and facts of the service desk's tests."""

from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

from kernel.domain.provenance import Provenance
from kernel.domain.recorded import Recorded
from service_desk.complaint.events import (
    ComplaintAssigned,
    ComplaintClosed,
    ComplaintEscalated,
    ComplaintRegistered,
    ComplaintReopened,
    ComplaintResolved,
    FirstReplyOverdue,
    FirstReplySent,
    ResolutionConfirmed,
)
from service_desk.policy.decider import REPLY_POLICY_ID
from service_desk.policy.events import ReplyPolicyDefined

Fact = TypeVar("Fact")

BROKEN_BEARING = UUID("01920000-0000-7000-8000-00000000d001")
HUAXIA = UUID("01920000-0000-7000-8000-00000000c001")
LI_NA = UUID("01920000-0000-7000-8000-00000000a001")
ADA = UUID("01920000-0000-7000-8000-00000000e001")
LINUS = UUID("01920000-0000-7000-8000-00000000e002")

NINE = datetime(2025, 3, 3, 9, tzinfo=UTC)
TEN = datetime(2025, 3, 3, 10, tzinfo=UTC)
NINE_NEXT_DAY = datetime(2025, 3, 4, 9, tzinfo=UTC)
TEN_NEXT_DAY = datetime(2025, 3, 4, 10, tzinfo=UTC)

REGISTERED = ComplaintRegistered(
    customer_id=HUAXIA,
    person_id=LI_NA,
    subject="Broken bearing",
    description="Three of forty arrived cracked.",
    channel="phone",
    category="product",
    priority="normal",
    owner_id=ADA,
    owner_team="desk",
    reply_due_at=NINE_NEXT_DAY,
    policy_id=REPLY_POLICY_ID,
    policy_version=0,
)
GIVEN_TO_LINUS = ComplaintAssigned(
    owner_id=LINUS, owner_team="field", previous_owner_id=ADA, previous_owner_team="desk"
)
ESCALATED = ComplaintEscalated(reason="third-time")
REPLIED = FirstReplySent(person_id=LI_NA, text="We are sorry and are looking into it.")
OVERDUE = FirstReplyOverdue(due_at=NINE_NEXT_DAY)
RESOLVED = ComplaintResolved(person_id=LI_NA, episode=1, solution="Replaced free of charge.")
CONFIRMED = ResolutionConfirmed(episode=1)
CLOSED = ComplaintClosed(episode=1)
REOPENED = ComplaintReopened(person_id=LI_NA, episode=2, reason="The new ones cracked too.")

URGENT_IN_FOUR_HOURS = ReplyPolicyDefined(
    version=1, default_hours=24, hours={"urgent": 4}, previous_default_hours=24, previous_hours={}
)


def recorded(fact: Fact, stream_id: UUID) -> Recorded[Fact]:
    why = Provenance(actor=str(ADA), command_id=ADA, correlation_id="test")
    return Recorded(fact, stream_id, 1, 1, ADA, NINE, NINE, why)
