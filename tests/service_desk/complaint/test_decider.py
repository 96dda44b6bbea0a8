"""What a complaint allows and what follows, as sentences; the promised reply is in `test_first_reply`."""

from dataclasses import replace

import pytest
from kernel.domain.errors import Conflict, NotFound
from kernel.testing.specs import Spec
from service_desk.complaint.commands import (
    AssignComplaint,
    CloseComplaint,
    ComplaintCommand,
    ConfirmResolution,
    EscalateComplaint,
    NoteReplyOverdue,
    RegisterComplaint,
    ReopenComplaint,
    ResolveComplaint,
    SendFirstReply,
)
from service_desk.complaint.decider import complaint_decider
from service_desk.policy.decider import ReplyPolicy

from tests.service_desk.examples import (
    ADA,
    CLOSED,
    CONFIRMED,
    ESCALATED,
    GIVEN_TO_LINUS,
    HUAXIA,
    LI_NA,
    LINUS,
    NINE,
    REGISTERED,
    REOPENED,
    RESOLVED,
    TEN,
)

complaint = Spec(complaint_decider.under(ReplyPolicy()))

REGISTER = RegisterComplaint(
    customer_id=HUAXIA,
    person_id=LI_NA,
    subject="Broken bearing",
    description="Three of forty arrived cracked.",
    channel="phone",
    category="product",
    owner_id=ADA,
    owner_team="desk",
    at=NINE,
)
GIVE_TO_LINUS = AssignComplaint(owner_id=LINUS, owner_team="field")
REPLY = SendFirstReply(text="We are sorry and are looking into it.", at=TEN)
RESOLVE = ResolveComplaint(solution="Replaced free of charge.", at=TEN)
REOPEN = ReopenComplaint(reason="The new ones cracked too.")
CONFIRM = ConfirmResolution()
CLOSE = CloseComplaint()


def test_a_complaint_is_registered_with_the_time_its_reply_is_due() -> None:
    complaint.given().when(REGISTER).then(REGISTERED)


def test_a_complaint_is_registered_once() -> None:
    complaint.given(REGISTERED).when(REGISTER).then_refused(Conflict, "COMPLAINT_EXISTS")


def test_the_one_who_complains_may_be_unknown() -> None:
    unknown = replace(REGISTERED, person_id=None)
    complaint.given().when(replace(REGISTER, person_id=None)).then(unknown)
    complaint.given(unknown).when(RESOLVE).then(replace(RESOLVED, person_id=None))


def test_an_open_complaint_is_assigned() -> None:
    complaint.given(REGISTERED).when(GIVE_TO_LINUS).then(GIVEN_TO_LINUS)


def test_assigning_it_to_its_owner_is_nothing() -> None:
    complaint.given(REGISTERED, GIVEN_TO_LINUS).when(GIVE_TO_LINUS).then_nothing()


def test_a_resolved_complaint_cannot_be_assigned() -> None:
    complaint.given(REGISTERED, RESOLVED).when(GIVE_TO_LINUS).then_refused(Conflict, "COMPLAINT_NOT_OPEN")


def test_an_open_complaint_is_resolved() -> None:
    complaint.given(REGISTERED).when(RESOLVE).then(RESOLVED)


def test_resolving_twice_is_nothing() -> None:
    complaint.given(REGISTERED, RESOLVED).when(RESOLVE).then_nothing()
    complaint.given(REGISTERED, RESOLVED, CONFIRMED).when(RESOLVE).then_nothing()


def test_a_closed_complaint_cannot_be_resolved() -> None:
    complaint.given(REGISTERED, RESOLVED, CLOSED).when(RESOLVE).then_refused(Conflict, "COMPLAINT_NOT_OPEN")


def test_the_customer_confirms_a_resolution() -> None:
    complaint.given(REGISTERED, RESOLVED).when(CONFIRM).then(CONFIRMED)


def test_confirming_twice_is_nothing() -> None:
    complaint.given(REGISTERED, RESOLVED, CONFIRMED).when(CONFIRM).then_nothing()


def test_what_is_not_resolved_can_be_neither_confirmed_nor_closed() -> None:
    for command in (CONFIRM, CLOSE):
        complaint.given(REGISTERED).when(command).then_refused(Conflict, "COMPLAINT_NOT_RESOLVED")


def test_a_closed_complaint_cannot_be_confirmed() -> None:
    complaint.given(REGISTERED, RESOLVED, CLOSED).when(CONFIRM).then_refused(Conflict, "COMPLAINT_CLOSED")


def test_a_resolved_complaint_is_closed_confirmed_or_not() -> None:
    complaint.given(REGISTERED, RESOLVED).when(CLOSE).then(CLOSED)
    complaint.given(REGISTERED, RESOLVED, CONFIRMED).when(CLOSE).then(CLOSED)


def test_closing_twice_is_nothing() -> None:
    complaint.given(REGISTERED, RESOLVED, CLOSED).when(CLOSE).then_nothing()


def test_a_complaint_is_reopened_wherever_its_end_had_come() -> None:
    complaint.given(REGISTERED, RESOLVED).when(REOPEN).then(REOPENED)
    complaint.given(REGISTERED, RESOLVED, CONFIRMED).when(REOPEN).then(REOPENED)
    complaint.given(REGISTERED, RESOLVED, CONFIRMED, CLOSED).when(REOPEN).then(REOPENED)


def test_reopening_what_is_open_is_nothing() -> None:
    complaint.given(REGISTERED).when(REOPEN).then_nothing()
    complaint.given(REGISTERED, RESOLVED, REOPENED).when(REOPEN).then_nothing()


def test_a_reopened_complaint_ends_its_second_episode() -> None:
    reopened = complaint.given(REGISTERED, RESOLVED, CLOSED, REOPENED)
    reopened.when(RESOLVE).then(replace(RESOLVED, episode=2))
    reopened.when(RESOLVE, CONFIRM).then(replace(CONFIRMED, episode=2))
    reopened.when(RESOLVE, CLOSE).then(replace(CLOSED, episode=2))
    reopened.when(RESOLVE, REOPEN).then(replace(REOPENED, episode=3))


def test_a_complaint_is_passed_up_once_and_again_after_it_came_back() -> None:
    escalate = EscalateComplaint(reason="third-time")
    complaint.given(REGISTERED).when(escalate).then(ESCALATED)
    complaint.given(REGISTERED, ESCALATED).when(escalate).then_nothing()
    complaint.given(REGISTERED, ESCALATED, RESOLVED, REOPENED).when(escalate).then(ESCALATED)
    complaint.given(REGISTERED, RESOLVED).when(escalate).then_refused(Conflict, "COMPLAINT_NOT_OPEN")


@pytest.mark.parametrize(
    "command", [GIVE_TO_LINUS, REPLY, NoteReplyOverdue(at=TEN), RESOLVE, CONFIRM, REOPEN, CLOSE]
)
def test_what_was_never_registered_is_not_found(command: ComplaintCommand) -> None:
    complaint.given().when(command).then_refused(NotFound, "NOT_FOUND")
