"""Random but possible histories of complaints."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from analytics.service.complaint import ComplaintFact
from contracts import service_desk as public
from hypothesis import strategies as st

from tests.analytics.streams import OWNERS, History, choices, times


@st.composite
def complaint_histories(draw: st.DrawFn) -> list[History[ComplaintFact]]:
    histories: list[History[ComplaintFact]] = []
    for n in range(draw(st.integers(1, 4))):
        steps = draw(st.lists(st.tuples(st.sampled_from(COMPLAINT_STEPS), choices, times), max_size=9))
        histories.append(complaint_of(UUID(int=0xF00 + n), draw(choices), draw(times), steps))
    return histories


COMPLAINT_STEPS = "reply overdue assign escalate resolve confirm reopen close".split()
_NEXT = {
    "open": {"resolve": "resolved"},
    "resolved": {"confirm": "confirmed", "reopen": "open", "close": "closed"},
}
_NEXT |= {"confirmed": {"reopen": "open", "close": "closed"}, "closed": {"reopen": "open"}}


def complaint_of(
    complaint_id: UUID, choice: int, registered_at: datetime, steps: Sequence[tuple[str, int, datetime]]
) -> History[ComplaintFact]:
    due_at = registered_at + timedelta(hours=24)
    history: History[ComplaintFact] = [(registered(complaint_id, choice, due_at), registered_at)]
    status, episode, said = "open", 1, set[str]()
    for step, arg, at in steps:
        if step in ("reply", "overdue", "assign", "escalate"):
            if step in said or status != "open":
                continue
            said |= {step} - {"assign"}
            history.append((_remark(complaint_id, step, arg, due_at), due_at if step == "overdue" else at))
        elif step in _NEXT[status]:
            status = _NEXT[status][step]
            episode += step == "reopen"
            history.append((_turn(complaint_id, step, episode), at))
    return history


def registered(complaint_id: UUID, choice: int, due_at: datetime) -> ComplaintFact:
    return public.ComplaintRegistered(
        complaint_id=complaint_id,
        customer_id=UUID(int=0xC00),
        person_id=None,
        channel=["phone", "mail"][choice % 2],
        category=None,
        priority="normal",
        owner_id=OWNERS[choice % 3],
        owner_team=None,
        reply_due_at=due_at,
        policy_id=UUID(int=1),
        policy_version=1,
    )


def _remark(complaint_id: UUID, step: str, arg: int, due_at: datetime) -> ComplaintFact:
    if step == "reply":
        return public.FirstReplySent(complaint_id=complaint_id)
    if step == "escalate":
        return public.ComplaintEscalated(complaint_id=complaint_id, reason="third-time")
    if step == "overdue":
        return public.FirstReplyOverdue(complaint_id=complaint_id, due_at=due_at)
    return public.ComplaintAssigned(
        complaint_id=complaint_id,
        owner_id=OWNERS[arg % 3],
        owner_team=None,
        previous_owner_id=None,
        previous_owner_team=None,
    )


def _turn(complaint_id: UUID, step: str, episode: int) -> ComplaintFact:
    if step == "resolve":
        return public.ComplaintResolved(complaint_id=complaint_id, episode=episode)
    if step == "confirm":
        return public.ResolutionConfirmed(complaint_id=complaint_id, episode=episode)
    if step == "reopen":
        return public.ComplaintReopened(complaint_id=complaint_id, episode=episode)
    return public.ComplaintClosed(complaint_id=complaint_id, episode=episode)
