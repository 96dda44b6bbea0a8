"""The promised first reply: when it is due, when it is late, and when nobody waits for it any more."""

from dataclasses import replace
from datetime import timedelta

from kernel.domain.errors import Conflict
from kernel.testing.specs import Spec
from service_desk.complaint.commands import (
    NoteReplyOverdue,
    RegisterComplaint,
    ResolveComplaint,
    SendFirstReply,
)
from service_desk.complaint.decider import complaint_decider, reply_deadlines
from service_desk.complaint.events import ComplaintEvent
from service_desk.policy.decider import ReplyPolicy, reply_policy_decider

from tests.service_desk.examples import (
    CLOSED,
    HUAXIA,
    NINE,
    NINE_NEXT_DAY,
    OVERDUE,
    REGISTERED,
    REOPENED,
    REPLIED,
    RESOLVED,
    TEN,
    TEN_NEXT_DAY,
    URGENT_IN_FOUR_HOURS,
)

complaint = Spec(complaint_decider.under(ReplyPolicy()))

REPLY = SendFirstReply(text="We are sorry and are looking into it.", at=TEN)
DUE = NoteReplyOverdue(at=NINE_NEXT_DAY)


def due_after(*history: ComplaintEvent) -> dict[str, object]:
    return dict(reply_deadlines(complaint.given(*history).state))


def test_an_urgent_complaint_is_due_by_the_hours_of_its_priority() -> None:
    under_version_one = Spec(complaint_decider.under(reply_policy_decider.fold([URGENT_IN_FOUR_HOURS])))
    register = RegisterComplaint(
        customer_id=HUAXIA, subject="Line stands", description="", channel="phone", priority="urgent", at=NINE
    )
    registered = replace(
        REGISTERED,
        person_id=None,
        subject="Line stands",
        description="",
        category=None,
        priority="urgent",
        owner_id=None,
        owner_team=None,
        reply_due_at=NINE + timedelta(hours=4),
        policy_version=1,
    )
    under_version_one.given().when(register).then(registered)


def test_a_new_policy_does_not_move_an_old_promise() -> None:
    under_version_one = Spec(complaint_decider.under(reply_policy_decider.fold([URGENT_IN_FOUR_HOURS])))
    under_version_one.given(replace(REGISTERED, priority="urgent")).when(
        NoteReplyOverdue(at=NINE + timedelta(hours=4))
    ).then_nothing()


def test_a_first_reply_is_sent_once() -> None:
    complaint.given(REGISTERED).when(REPLY).then(REPLIED)
    complaint.given(REGISTERED, REPLIED).when(replace(REPLY, text="Again.")).then_nothing()
    complaint.given(REGISTERED, REPLIED, RESOLVED, CLOSED).when(REPLY).then_nothing()


def test_a_resolved_complaint_takes_no_first_reply() -> None:
    complaint.given(REGISTERED, RESOLVED).when(REPLY).then_refused(Conflict, "COMPLAINT_NOT_OPEN")


def test_a_reply_that_did_not_come_is_overdue_at_the_due_time() -> None:
    complaint.given(REGISTERED).when(DUE).then(OVERDUE)


def test_a_reply_is_not_overdue_before_its_time() -> None:
    early = NoteReplyOverdue(at=NINE_NEXT_DAY - timedelta(microseconds=1))
    complaint.given(REGISTERED).when(early).then_nothing()


def test_overdue_is_told_once() -> None:
    complaint.given(REGISTERED, OVERDUE).when(DUE).then_nothing()
    complaint.given(REGISTERED, OVERDUE).when(replace(REPLY, at=TEN_NEXT_DAY)).then(REPLIED)


def test_a_reply_in_time_is_never_overdue() -> None:
    complaint.given(REGISTERED, REPLIED).when(DUE).then_nothing()


def test_a_late_reply_was_overdue_even_where_no_timer_said_so() -> None:
    complaint.given(REGISTERED).when(replace(REPLY, at=TEN_NEXT_DAY)).then(OVERDUE, REPLIED)


def test_a_late_resolution_was_overdue_even_where_no_timer_said_so() -> None:
    late = ResolveComplaint(solution="Replaced free of charge.", at=TEN_NEXT_DAY)
    complaint.given(REGISTERED).when(late).then(OVERDUE, RESOLVED)
    complaint.given(REGISTERED, REPLIED).when(late).then(RESOLVED)


def test_a_resolved_complaint_is_not_overdue() -> None:
    complaint.given(REGISTERED, RESOLVED).when(DUE).then_nothing()


def test_a_complaint_resolved_without_a_reply_is_not_late_when_reopened() -> None:
    complaint.given(REGISTERED, RESOLVED, REOPENED).when(DUE).then_nothing()
    complaint.given(REGISTERED, RESOLVED, REOPENED).when(replace(REPLY, at=TEN_NEXT_DAY)).then(REPLIED)


def test_there_is_a_deadline_only_while_a_reply_is_due() -> None:
    assert due_after() == {}
    assert due_after(REGISTERED) == {"first_reply": NINE_NEXT_DAY}
    assert due_after(REGISTERED, REPLIED) == {}
    assert due_after(REGISTERED, OVERDUE) == {}
    assert due_after(REGISTERED, RESOLVED) == {}
    assert due_after(REGISTERED, RESOLVED, REOPENED) == {}
