"""Whatever becomes of complaints, and however it is heard, the counters are what a plain count finds."""

from datetime import datetime
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

from analytics.semantics import Cells
from analytics.service.complaint import BLANK, Complaint, ComplaintFact, as_at, is_late, key, project
from analytics.service.semantics import EDGES, cells_of, contribute
from contracts import service_desk as public
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tests.analytics.complaint_oracle import complaints
from tests.analytics.complaint_streams import complaint_histories
from tests.analytics.folding import filled, follow, named, states, summed
from tests.analytics.streams import History, batches, heard, interleaved, times, zones

NAMES = {
    "flow": [
        *"registered replied met late resolved reopened confirmed closed escalated".split(),
        *[f"class {number}" for number in range(len(EDGES) + 1)],
    ],
    "open": ["open", "unanswered", "late", "unclosed"],
}
COMPLAINT = TypeAdapter(Complaint)

Histories = list[History[ComplaintFact]]


def folded(histories: Histories) -> list[Complaint]:
    records = [record for history in histories for record in heard(history)]
    return list(states(records, key, project, BLANK).values())


def cells(histories: Histories, zone: ZoneInfo) -> Cells:
    return filled(cells_of(folded(histories), zone))


@given(complaint_histories(), zones, st.randoms(use_true_random=False))
def test_counters_are_the_same_however_the_facts_are_heard(
    histories: Histories, zone: ZoneInfo, random: Random
) -> None:
    heard_in = batches(interleaved(histories, random), random)
    table = follow(heard_in, key, project, BLANK, lambda complaint: contribute(complaint, zone))
    assert table == cells(histories, zone)
    assert named(table, NAMES) == complaints(histories, zone)


@given(complaint_histories(), zones)
def test_the_values_of_a_dimension_add_up_to_all(histories: Histories, zone: ZoneInfo) -> None:
    table = cells(histories, zone)
    for view in ("flow", "open"):
        for dimension in ("owner", "channel"):
            assert summed(table, view, dimension, 3) == summed(table, view, "all", 3)


@given(complaint_histories(), zones)
def test_whatever_was_replied_is_in_one_class_and_whatever_was_promised_is_kept_or_late(
    histories: Histories, zone: ZoneInfo
) -> None:
    table = cells(histories, zone)
    for cell, numbers in table.items():
        if cell[0] == "flow":
            assert sum(numbers[9:]) == numbers[1]
    flow = [numbers for cell, numbers in table.items() if cell[:2] == ("flow", "all")]
    registered, _, met, late, *_ = (sum(column) for column in zip(*flow, strict=True))
    assert met + late <= registered


@given(complaint_histories(), zones, times)
def test_counters_as_at_a_moment_are_those_of_what_had_occurred(
    histories: Histories, zone: ZoneInfo, moment: datetime
) -> None:
    all_of_them = folded(histories)
    then = [as_at(complaint, moment) for complaint in all_of_them]
    known = [
        had_occurred(history, complaint, moment)
        for history, complaint in zip(histories, all_of_them, strict=True)
    ]
    wanted = complaints([history for history in known if history], zone)
    assert named(filled(cells_of(then, zone)), NAMES) == wanted


def had_occurred(
    history: History[ComplaintFact], complaint: Complaint, moment: datetime
) -> History[ComplaintFact]:
    """A promise is broken at its due time, whenever that was said or shown by a late reply."""
    if history[0][1] > moment:
        return []
    known: History[ComplaintFact] = [
        (fact, at) for fact, at in history if at <= moment and not isinstance(fact, public.FirstReplyOverdue)
    ]
    if is_late(complaint) and complaint.due_at is not None and complaint.due_at <= moment:
        known.append(
            (public.FirstReplyOverdue(complaint_id=UUID(int=0), due_at=complaint.due_at), complaint.due_at)
        )
    return known


@given(complaint_histories())
def test_a_state_survives_being_stored(histories: Histories) -> None:
    for complaint in folded(histories):
        assert COMPLAINT.validate_json(COMPLAINT.dump_json(complaint)) == complaint
