"""A toy service for tests of the kernel: notes with a personal text, lines, a timer, a unique label, under a limit."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, DateTime, Integer, Text, Uuid

from kernel.domain.decider import Decider
from kernel.domain.recorded import Recorded
from kernel.messaging.service import Service
from kernel.storage.aggregate import Aggregate, Rules, Timers
from kernel.storage.codec import EventCodec
from kernel.storage.tables import service_metadata
from kernel.storage.views import AnyRecorded, PersonColumns, Row, Rows, own_event
from kernel.testing.toy_note import (
    Count,
    Note,
    NoteCommand,
    NoteCounted,
    NoteErased,
    NoteEvent,
    NoteRemarked,
    NoteRetracted,
    NoteWritten,
    Remind,
    note_decider,
)

metadata = service_metadata()


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSet:
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetLimit:
    most: int


limit_decider: Decider[int, SetLimit, LimitSet] = Decider(
    decide=lambda most, command: [] if most == command.most else [LimitSet(most=command.most)],
    evolve=lambda _, event: event.most,
    initial=1_000_000,
)
limit = Aggregate(category="limit", decider=limit_decider, codec=EventCodec[LimitSet](LimitSet))


def project_card(row: Row | None, event: AnyRecorded) -> Row | None:
    """A count above 999 breaks the table's constraint, one above 2^31 cannot even be sent."""
    stamp = {"version": event.version, "updated_at": event.recorded_at}
    match event.fact:
        case NoteWritten() as fact:
            card = {"id": event.stream_id, "title": fact.title, "text": fact.text, "count": 0}
            return card | {"created_at": event.occurred_at} | stamp
        case NoteRetracted():
            return None
        case NoteCounted(by=by) if row:
            return {**row, "count": row["count"] + by, **stamp}
    return {**row, **stamp} if row else None


def project_line(row: Row | None, event: AnyRecorded) -> Row | None:
    remark = event.fact if isinstance(event.fact, NoteRemarked) else None
    return {
        "id": event.event_id,
        "note_id": event.stream_id,
        "kind": type(event.fact).__name__,
        "person_id": remark and remark.person_id,
        "remark": remark and remark.remark,
    }


cards = Rows(
    "toy_cards",
    columns=(
        Column("id", Uuid, primary_key=True),
        Column("title", Text, nullable=False),
        Column("text", Text),
        Column("count", Integer, CheckConstraint('"count" < 1000', name="few"), nullable=False),
        Column("version", Integer, nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False),
        Column("updated_at", DateTime(timezone=True), nullable=False),
    ),
    project=project_card,
    person=PersonColumns("id", ("text",)),
).attach(metadata)

lines = Rows(
    "toy_lines",
    columns=(
        Column("id", Uuid, primary_key=True),
        Column("note_id", Uuid, nullable=False, index=True),
        Column("kind", Text, nullable=False),
        Column("person_id", Uuid),
        Column("remark", Text),
    ),
    project=project_line,
    key=own_event,
    person=PersonColumns("person_id", ("remark",)),
).attach(metadata)


def due(state: Note) -> dict[str, datetime]:
    return {"remind": state.remind_at} if state.remind_at else {}


def reminder(kind: str, at: datetime) -> NoteCommand:
    return Remind(at=at)


def ruled_by(state: Note, command: NoteCommand) -> UUID | None:
    return state.limit_id if isinstance(command, Count) else None


note = Aggregate(
    category="note",
    decider=note_decider,
    codec=EventCodec[NoteEvent](NoteEvent),
    views=(cards, lines),
    rules=Rules(limit, ruled_by),
    timers=Timers(due, reminder),
    unique=lambda state: {"label": state.label} if state.label else {},
    erasing=(NoteErased,),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteTaken:
    note_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteGrew:
    note_id: UUID
    by: int


def publish(event: Recorded[NoteEvent | LimitSet]) -> NoteTaken | NoteGrew | None:
    match event.fact:
        case NoteWritten():
            return NoteTaken(note_id=event.stream_id)
        case NoteCounted(by=by):
            return NoteGrew(note_id=event.stream_id, by=by)
    return None


service = Service(
    name="toy",
    metadata=metadata,
    aggregates=(limit, note),
    publish=publish,
    contracts=NoteTaken | NoteGrew,
)
