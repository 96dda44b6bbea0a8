"""The facts, commands and rules of the toy service's one real aggregate."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from kernel.domain.decider import RuledDecider
from kernel.domain.errors import Conflict, NotFound
from kernel.domain.personal import Personal

NO_LIMIT = UUID(int=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteWritten:
    """The note is about the person whose id is the stream's."""

    title: str
    text: Personal[str]
    limit_id: UUID
    remind_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteCounted:
    by: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteLabelled:
    label: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteRemarked:
    """What a third person said of it."""

    person_id: UUID
    remark: Personal[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteReminded:
    again_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteRetracted:
    """It leaves the cards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteErased:
    """The person is erased."""


NoteEvent = (
    NoteWritten | NoteCounted | NoteLabelled | NoteRemarked | NoteReminded | NoteRetracted | NoteErased
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteNote:
    title: str = "A note"
    text: str | None = None
    limit_id: UUID = NO_LIMIT
    remind_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    by: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    label: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    person_id: UUID
    remark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Remind:
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Retract:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Erase:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """Its code has a fault."""


NoteCommand = WriteNote | Count | Label | Remark | Remind | Retract | Erase | Break


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A count below zero asks for a reminder that is always refused, one of -1 for one whose code has a fault."""

    title: str | None = None
    text: str | None = None
    count: int = 0
    label: str | None = None
    limit_id: UUID = NO_LIMIT
    remind_at: datetime | None = None
    reminded: int = 0
    erased: bool = False


def decide(note: Note, command: NoteCommand, most: int) -> Sequence[NoteEvent]:
    if isinstance(command, Break):
        raise ZeroDivisionError("a fault in the code")
    if isinstance(command, WriteNote):
        if note.title is not None:
            raise Conflict("This note is written.", code="NOTE_EXISTS")
        return [NoteWritten(**{name: getattr(command, name) for name in WriteNote.__slots__})]
    if note.title is None:
        raise NotFound("There is no such note.")
    match command:
        case Count(by=by) if note.count + by > most:
            raise Conflict("That is more than the limit.", code="OVER_LIMIT")
        case Count(by=by):
            return [NoteCounted(by=by)]
        case Label(label=label):
            return [] if label == note.label else [NoteLabelled(label=label)]
        case Remark():
            return [NoteRemarked(person_id=command.person_id, remark=command.remark)]
        case Remind():
            return remind(note, command)
        case Retract():
            return [NoteRetracted()]
        case Erase():
            return [] if note.erased else [NoteErased()]


def remind(note: Note, command: Remind) -> Sequence[NoteEvent]:
    if note.count == -1:
        raise ZeroDivisionError("a fault in the code")
    if note.count < 0:
        raise Conflict("Not now.", code="NOT_NOW")
    if note.remind_at is None or command.at < note.remind_at:
        return []
    again = note.count == 3 and note.reminded == 0
    return [NoteReminded(again_at=note.remind_at + timedelta(milliseconds=1) if again else None)]


def evolve(note: Note, event: NoteEvent) -> Note:
    match event:
        case NoteWritten():
            return replace(
                note, title=event.title, text=event.text, limit_id=event.limit_id, remind_at=event.remind_at
            )
        case NoteCounted(by=by):
            return replace(note, count=note.count + by)
        case NoteLabelled(label=label):
            return replace(note, label=label)
        case NoteReminded(again_at=again):
            return replace(note, remind_at=again, reminded=note.reminded + 1)
        case NoteErased():
            return replace(note, erased=True, text=None, label=None, remind_at=None)
        case NoteRemarked() | NoteRetracted():
            return note


note_decider: RuledDecider[Note, NoteCommand, NoteEvent, int] = RuledDecider(decide, evolve, Note())
