"""The rules of the complaint figures, each with an example."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from analytics.semantics import Period
from analytics.service.complaint import BLANK, Complaint, ComplaintFact, as_at, project
from analytics.service.semantics import Desk, Dimension, cells_of, desk
from contracts import service_desk as public

from tests.analytics.complaint_streams import registered
from tests.analytics.streams import heard

COMPLAINT = UUID(int=0xF0)
ADA, GRACE = UUID(int=0xB0), UUID(int=0xB1)
BERLIN = ZoneInfo("Europe/Berlin")
MARCH = Period(date(2024, 3, 1), date(2024, 4, 1))
NOON = datetime(2024, 3, 30, 12, tzinfo=UTC)
DUE = NOON + timedelta(hours=24)

REPLY = public.FirstReplySent(complaint_id=COMPLAINT)
OVERDUE = public.FirstReplyOverdue(complaint_id=COMPLAINT, due_at=DUE)
RESOLVED = public.ComplaintResolved(complaint_id=COMPLAINT, episode=1)
CONFIRMED = public.ResolutionConfirmed(complaint_id=COMPLAINT, episode=1)
REOPENED = public.ComplaintReopened(complaint_id=COMPLAINT, episode=2)
CLOSED = public.ComplaintClosed(complaint_id=COMPLAINT, episode=1)
TO_GRACE = public.ComplaintAssigned(
    complaint_id=COMPLAINT, owner_id=GRACE, owner_team=None, previous_owner_id=ADA, previous_owner_team=None
)


def complaint(*facts: tuple[ComplaintFact, float]) -> Complaint:
    """Each fact with its hours after the registration, which is Ada's, by phone."""
    state = BLANK
    history = [(registered(COMPLAINT, 0, DUE), NOON), *((f, NOON + timedelta(hours=h)) for f, h in facts)]
    for record in heard(history):
        state = project(state, record)
    return state


def asked(*complaints: Complaint, breakdown: Dimension = "all", daily: bool = False) -> Desk:
    return desk(cells_of(complaints, BERLIN), MARCH, BERLIN, breakdown=breakdown, daily=daily)


@pytest.mark.parametrize(
    ("hours", "place"),
    [
        (-2, 0),
        (0, 0),
        (1, 0),
        (1.01, 1),
        (4, 1),
        (8, 2),
        (24, 3),
        (24.01, 4),
        (48, 4),
        (72, 5),
        (168, 6),
        (169, 7),
    ],
)
def test_a_reply_is_in_the_class_whose_upper_limit_it_kept(hours: float, place: int) -> None:
    (row,) = desk(cells_of([complaint((REPLY, hours))], BERLIN), ALWAYS, BERLIN, daily=False).flow
    assert row.replies == tuple(int(each == place) for each in range(8))
    assert row.within_day == float(hours <= 24)


ALWAYS = Period(date(2024, 1, 1), date(2025, 1, 1))


def test_a_reply_in_time_keeps_the_promise_and_one_at_the_due_time_breaks_it() -> None:
    (row,) = asked(complaint((REPLY, 23.9)), complaint((REPLY, 24))).flow
    assert (row.replied, row.met, row.late, row.met_rate) == (2, 1, 1, 0.5)


def test_a_broken_promise_counts_from_its_due_time_without_waiting_for_a_reply() -> None:
    answer = asked(complaint((OVERDUE, 24)))
    assert [(row.late, row.replied) for row in answer.flow] == [(1, 0)]
    assert [(row.open, row.unanswered, row.late) for row in answer.open] == [(1, 1, 1)]
    by_day = asked(complaint((OVERDUE, 24), (REPLY, 80)), daily=True).flow
    assert [(row.day, row.late) for row in by_day] == [("2024-03-30", 0), ("2024-03-31", 1)]


def test_a_timely_reply_that_was_recorded_late_takes_the_word_back() -> None:
    (row,) = asked(complaint((OVERDUE, 24), (REPLY, 5))).flow
    assert (row.met, row.late) == (1, 0)


def test_a_solution_settles_the_promised_reply_for_good() -> None:
    (row,) = asked(complaint((RESOLVED, 5), (REOPENED, 30), (REPLY, 31))).flow
    assert (row.met, row.late, row.resolved, row.reopened, row.reopen_rate) == (1, 0, 1, 1, 1.0)


def test_what_is_open_is_what_waits_for_a_resolution() -> None:
    done = (RESOLVED, 5), (CONFIRMED, 6)
    (row,) = asked(
        complaint(), complaint(*done), complaint(*done, (CLOSED, 7)), complaint(*done, (REOPENED, 8))
    ).open
    assert (row.open, row.unanswered, row.late, row.unclosed) == (2, 1, 0, 1)


def test_each_thing_is_credited_to_whoever_owned_the_complaint_then() -> None:
    answer = asked(complaint((REPLY, 1), (TO_GRACE, 2), (RESOLVED, 3), (REOPENED, 4)), breakdown="owner")
    ada, grace = answer.flow
    assert (ada.value, ada.registered, ada.replied, ada.resolved) == (str(ADA), 1, 1, 0)
    assert (grace.value, grace.registered, grace.resolved, grace.reopened) == (str(GRACE), 0, 1, 1)
    assert [row.value for row in answer.open] == [str(GRACE)]


def test_a_broken_promise_is_that_of_whoever_owned_the_complaint_at_its_due_time() -> None:
    for hours, owner in ((24, GRACE), (24.1, ADA)):
        rows = asked(complaint((TO_GRACE, hours), (OVERDUE, 24)), breakdown="owner").flow
        assert [row.value for row in rows if row.late] == [str(owner)]


def test_as_at_a_moment_before_its_due_time_no_promise_was_broken() -> None:
    late = complaint((OVERDUE, 24), (REPLY, 30))
    assert [row.late for row in asked(as_at(late, DUE - timedelta(hours=1))).flow] == [0]
    assert [row.late for row in asked(as_at(late, DUE)).flow] == [1]
    assert as_at(late, NOON - timedelta(hours=1)) == BLANK


def test_channels_have_rows_of_their_own_and_days_are_those_of_the_zone() -> None:
    answer = asked(complaint((REPLY, 9)), complaint((REPLY, 11)), breakdown="channel", daily=True)
    assert [(row.day, row.value, row.replied) for row in answer.flow] == [
        ("2024-03-30", "phone", 1),
        ("2024-03-31", "phone", 1),
    ]
    assert (answer.zone, answer.view, answer.attribution) == ("Europe/Berlin", "flow", "at_step")


def test_a_complaint_that_nobody_registered_counts_nowhere() -> None:
    assert cells_of([BLANK], BERLIN) == {}
