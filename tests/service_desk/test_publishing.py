"""What the service desk tells of each fact: ids, slugs and times."""

import pytest
from contracts import service_desk as public
from service_desk.complaint.events import ComplaintEvent
from service_desk.policy.decider import REPLY_POLICY_ID
from service_desk.publishing import publish

from tests.service_desk.examples import (
    ADA,
    BROKEN_BEARING,
    CLOSED,
    CONFIRMED,
    ESCALATED,
    GIVEN_TO_LINUS,
    HUAXIA,
    LI_NA,
    LINUS,
    NINE_NEXT_DAY,
    OVERDUE,
    REGISTERED,
    REOPENED,
    REPLIED,
    RESOLVED,
    URGENT_IN_FOUR_HOURS,
    recorded,
)


def test_a_defined_policy_is_told_with_its_hours() -> None:
    assert publish(recorded(URGENT_IN_FOUR_HOURS, REPLY_POLICY_ID)) == public.ReplyPolicyDefined(
        policy_id=REPLY_POLICY_ID, policy_version=1, default_hours=24, hours={"urgent": 4}
    )


def test_a_registered_complaint_is_told_without_its_words() -> None:
    assert publish(recorded(REGISTERED, BROKEN_BEARING)) == public.ComplaintRegistered(
        complaint_id=BROKEN_BEARING,
        customer_id=HUAXIA,
        person_id=LI_NA,
        channel="phone",
        category="product",
        priority="normal",
        owner_id=ADA,
        owner_team="desk",
        reply_due_at=NINE_NEXT_DAY,
        policy_id=REPLY_POLICY_ID,
        policy_version=0,
    )


def test_an_assigned_complaint_is_told_with_both_owners() -> None:
    assert publish(recorded(GIVEN_TO_LINUS, BROKEN_BEARING)) == public.ComplaintAssigned(
        complaint_id=BROKEN_BEARING,
        owner_id=LINUS,
        owner_team="field",
        previous_owner_id=ADA,
        previous_owner_team="desk",
    )


@pytest.mark.parametrize(
    ("fact", "contract"),
    [
        (REPLIED, public.FirstReplySent(complaint_id=BROKEN_BEARING)),
        (OVERDUE, public.FirstReplyOverdue(complaint_id=BROKEN_BEARING, due_at=NINE_NEXT_DAY)),
        (RESOLVED, public.ComplaintResolved(complaint_id=BROKEN_BEARING, episode=1)),
        (CONFIRMED, public.ResolutionConfirmed(complaint_id=BROKEN_BEARING, episode=1)),
        (REOPENED, public.ComplaintReopened(complaint_id=BROKEN_BEARING, episode=2)),
        (ESCALATED, public.ComplaintEscalated(complaint_id=BROKEN_BEARING, reason="third-time")),
        (CLOSED, public.ComplaintClosed(complaint_id=BROKEN_BEARING, episode=1)),
    ],
)
def test_the_steps_of_a_complaint_are_told_by_id_and_episode(
    fact: ComplaintEvent, contract: public.ServiceDeskContract
) -> None:
    assert publish(recorded(fact, BROKEN_BEARING)) == contract
