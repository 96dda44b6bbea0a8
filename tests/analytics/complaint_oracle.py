"""The complaint counters counted again by brute force, sharing no code with what is tested."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from contracts import service_desk as desk

Count = Counter[tuple[object, ...]]

_NAMES = {
    desk.ComplaintResolved: "resolved",
    desk.ComplaintReopened: "reopened",
    desk.ResolutionConfirmed: "confirmed",
    desk.ComplaintClosed: "closed",
}


def complaints(histories: Iterable[Sequence[tuple[object, datetime]]], zone: ZoneInfo) -> Count:
    """(view, dimension, day, value, name of the number) -> its value."""
    count: Count = Counter()
    for history in histories:
        first = history[0][0]
        assert isinstance(first, desk.ComplaintRegistered)
        things = things_of(history)
        for at, index, name in things:
            owner = owner_of(history, at, index)
            for dimension, value in (("all", ""), ("owner", str(owner or "")), ("channel", first.channel)):
                count["flow", dimension, at.astimezone(zone).strftime("%Y-%m-%d"), value, name] += 1
        names = {name for _, _, name in things}
        owner = [
            f.owner_id for f, _ in history if isinstance(f, desk.ComplaintRegistered | desk.ComplaintAssigned)
        ][-1]
        for name in standing_of(history, names):
            for dimension, value in (("all", ""), ("owner", str(owner or "")), ("channel", first.channel)):
                count["open", dimension, "", value, name] += 1
    return count


def things_of(history: Sequence[tuple[object, datetime]]) -> list[tuple[datetime, int, str]]:
    registered, registered_at = history[0]
    assert isinstance(registered, desk.ComplaintRegistered)
    things = [(registered_at, 0, "registered")]
    answers = []
    for index, (fact, at) in enumerate(history):
        if isinstance(fact, desk.FirstReplySent):
            hours = (at - registered_at).total_seconds() / 3600
            limits = [limit for limit in (1, 4, 8, 24, 48, 72, 168) if hours > limit]
            things += [(at, index, "replied"), (at, index, f"class {len(limits)}")]
        if isinstance(fact, desk.ComplaintEscalated):
            things.append((at, index, "escalated"))
        if type(fact) in _NAMES:
            things.append((at, index, _NAMES[type(fact)]))
        if isinstance(fact, desk.FirstReplySent | desk.ComplaintResolved):
            answers.append((at, index))
    told = any(isinstance(fact, desk.FirstReplyOverdue) for fact, _ in history)
    due = registered.reply_due_at
    if (answers and min(answers)[0] >= due) or (not answers and told):
        things.append((due, len(history), "late"))
    elif answers:
        things.append((*min(answers), "met"))
    return things


def owner_of(history: Sequence[tuple[object, datetime]], when: datetime, index: int) -> UUID | None:
    owner = None
    for place, (fact, at) in enumerate(history):
        if isinstance(fact, desk.ComplaintRegistered) and place == 0:
            owner = fact.owner_id
        if isinstance(fact, desk.ComplaintRegistered | desk.ComplaintAssigned) and (at, place) <= (
            when,
            index,
        ):
            owner = fact.owner_id
    return owner


def standing_of(history: Sequence[tuple[object, datetime]], names: set[str]) -> list[str]:
    turns = [_NAMES[type(fact)] for fact, _ in history if type(fact) in _NAMES]
    if turns and turns[-1] != "reopened":
        return [] if turns[-1] == "closed" else ["unclosed"]
    answered = "replied" in names or "resolved" in names
    return ["open"] + ([] if answered else ["unanswered"] + (["late"] if "late" in names else []))
