"""Whatever is asked of a complaint, in any order: the state is the fold, and promises are told once."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from kernel.domain.errors import Refused
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
from service_desk.complaint.decider import complaint_decider, reply_deadlines
from service_desk.complaint.events import (
    ComplaintEvent,
    ComplaintRegistered,
    ComplaintReopened,
    ComplaintResolved,
    FirstReplyOverdue,
    FirstReplySent,
)
from service_desk.policy.decider import ReplyPolicy

from tests.service_desk.examples import ADA, HUAXIA, LI_NA, LINUS, NINE

decider = complaint_decider.under(ReplyPolicy(version=3, default_hours=24, hours={"urgent": 4}))
words = st.sampled_from([None, "a", "b"])
times = st.integers(-48, 48).map(lambda hours: NINE + timedelta(hours=hours))
ownership = {"owner_id": st.sampled_from([None, ADA, LINUS]), "owner_team": words}
registrations = st.builds(
    RegisterComplaint,
    customer_id=st.just(HUAXIA),
    person_id=st.sampled_from([None, LI_NA]),
    subject=words,
    description=words,
    channel=st.just("phone"),
    category=words,
    priority=st.sampled_from(["normal", "urgent"]),
    **ownership,
    at=times,
)
others: st.SearchStrategy[ComplaintCommand] = st.one_of(
    st.builds(AssignComplaint, **ownership),
    st.builds(EscalateComplaint, reason=st.just("third-time")),
    st.builds(SendFirstReply, text=words, at=times),
    st.builds(NoteReplyOverdue, at=times),
    st.builds(ResolveComplaint, solution=words, at=times),
    st.just(ConfirmResolution()),
    st.builds(ReopenComplaint, reason=words),
    st.just(CloseComplaint()),
)
sequences = st.lists(registrations | others, max_size=16) | st.builds(
    lambda first, rest: [first, *rest], registrations, st.lists(others, max_size=16)
)


def decided(history: Sequence[ComplaintEvent], command: ComplaintCommand) -> Sequence[ComplaintEvent]:
    try:
        return decider.decide(decider.fold(history), command)
    except Refused:
        return []


def told(asked: Sequence[ComplaintCommand]) -> list[ComplaintEvent]:
    history: list[ComplaintEvent] = []
    for command in asked:
        history.extend(decided(history, command))
    return history


def without_key(fact: ComplaintEvent) -> ComplaintEvent:
    """The fact as it is read once the person's key is destroyed."""
    match fact:
        case ComplaintRegistered():
            return replace(fact, subject=None, description=None)
        case FirstReplySent():
            return replace(fact, text=None)
        case ComplaintResolved():
            return replace(fact, solution=None)
        case ComplaintReopened():
            return replace(fact, reason=None)
        case _:
            return fact


@given(sequences)
def test_the_state_is_the_fold_of_the_history(asked: list[ComplaintCommand]) -> None:
    history: list[ComplaintEvent] = []
    state = decider.initial
    for command in asked:
        facts = decided(history, command)
        history.extend(facts)
        for fact in facts:
            state = decider.evolve(state, fact)
    assert decider.fold(history) == state


@given(sequences)
def test_doing_it_twice_is_doing_it_once(asked: list[ComplaintCommand]) -> None:
    history: list[ComplaintEvent] = []
    for command in asked:
        history.extend(decided(history, command))
        assert decided(history, command) == []


@given(sequences)
def test_a_first_reply_and_its_lateness_are_told_at_most_once(asked: list[ComplaintCommand]) -> None:
    history = told(asked)
    assert sum(isinstance(fact, FirstReplySent) for fact in history) <= 1
    assert sum(isinstance(fact, FirstReplyOverdue) for fact in history) <= 1


@given(sequences)
def test_a_timer_that_fires_ends_its_own_deadline(asked: list[ComplaintCommand]) -> None:
    history = told(asked)
    for due_at in reply_deadlines(decider.fold(history)).values():
        facts = decided(history, NoteReplyOverdue(at=due_at))
        assert list(facts) == [FirstReplyOverdue(due_at=due_at)]
        assert reply_deadlines(decider.fold([*history, *facts])) == {}


@given(sequences)
def test_no_rule_reads_a_word_of_the_text(asked: list[ComplaintCommand]) -> None:
    history = told(asked)
    assert decider.fold(history) == decider.fold(map(without_key, history))
