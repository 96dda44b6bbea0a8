"""The small business that is simulated: accounts with a name, an amount that never falls below zero, and a unique tag.

`ref` is the key of the command that a fact came from, so that an outsider can count what each command did.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from kernel.domain.decider import Decider
from kernel.domain.errors import Conflict, NotFound
from kernel.domain.personal import Personal
from kernel.storage.aggregate import Aggregate
from kernel.storage.codec import EventCodec, Json
from kernel.storage.views import AnyRecorded, PersonColumns, Row, Rows, own_event
from sqlalchemy import Column, Integer, Text, Uuid

SOURCE = "contacts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    name: Personal[str]
    ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """Its first version called `by` the amount."""

    by: int = 0
    ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Remarked:
    """What was said of somebody else."""

    person_id: UUID
    remark: Personal[str]
    ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagged:
    tag: str | None
    ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    ref: str


Fact = Opened | Added | Remarked | Tagged | Erased


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    ref: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Add:
    ref: str
    by: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    ref: str
    person_id: UUID
    remark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    ref: str
    tag: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Erase:
    ref: str


Command = Open | Add | Remark | Tag | Erase


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    open: bool = False
    name: str | None = None
    amount: int = 0
    tag: str | None = None
    erased: bool = False


def decide(account: Account, command: Command) -> Sequence[Fact]:
    if isinstance(command, Open):
        if account.open:
            raise Conflict("This account is open.", code="OPEN")
        return [Opened(name=command.name, ref=command.ref)]
    if not account.open:
        raise NotFound("There is no such account.")
    match command:
        case Add(by=by) if account.amount + by < 0:
            raise Conflict("There is not that much.", code="TOO_LITTLE")
        case Add(by=by):
            return [Added(by=by, ref=command.ref)]
        case Remark():
            return [Remarked(person_id=command.person_id, remark=command.remark, ref=command.ref)]
        case Tag(tag=tag):
            return [] if tag == account.tag else [Tagged(tag=tag, ref=command.ref)]
        case Erase():
            return [] if account.erased else [Erased(ref=command.ref)]


def evolve(account: Account, fact: Fact) -> Account:
    match fact:
        case Opened(name=name):
            return replace(account, open=True, name=name)
        case Added(by=by):
            return replace(account, amount=account.amount + by)
        case Tagged(tag=tag):
            return replace(account, tag=tag)
        case Erased():
            return replace(account, erased=True, name=None, tag=None)
        case Remarked():
            return account


def call_it_by(kind: str, data: Json) -> tuple[str, Json]:
    return kind, {"by": data["amount"], "ref": data["ref"]}


def project_card(row: Row | None, event: AnyRecorded) -> Row | None:
    match event.fact:
        case Opened(name=name):
            return {"id": event.stream_id, "name": name, "amount": 0, "version": event.version}
        case Added(by=by) if row:
            return {**row, "amount": row["amount"] + by, "version": event.version}
    return {**row, "version": event.version} if row else None


def project_line(row: Row | None, event: AnyRecorded) -> Row | None:
    fact = event.fact if isinstance(event.fact, Remarked) else None
    said = {"person_id": fact and fact.person_id, "remark": fact and fact.remark}
    return {"id": event.event_id, "account_id": event.stream_id, **said}


cards = Rows(
    "cards",
    columns=(
        Column("id", Uuid, primary_key=True),
        Column("name", Text),
        Column("amount", Integer),
        Column("version", Integer),
    ),
    project=project_card,
    person=PersonColumns("id", ("name",)),
)
lines = Rows(
    "lines",
    columns=(
        Column("id", Uuid, primary_key=True),
        Column("account_id", Uuid),
        Column("person_id", Uuid),
        Column("remark", Text),
    ),
    project=project_line,
    key=own_event,
    person=PersonColumns("person_id", ("remark",)),
)


def make_account(upcasts: Mapping[str, Any]) -> "Aggregate[Account, Command, Fact]":
    return Aggregate(
        category="account",
        decider=Decider(decide=decide, evolve=evolve, initial=Account()),
        codec=EventCodec[Fact](Fact, upcasts),
        views=(cards, lines),
        unique=lambda state: {"tag": state.tag} if state.tag else {},
        erasing=(Erased,),
    )


account = make_account({"Added": [call_it_by]})


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountOpened:
    account_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountGrew:
    account_id: UUID
    by: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonErased:
    person_id: UUID


Contract = AccountOpened | AccountGrew | PersonErased


def publish(event: AnyRecorded) -> Contract | None:
    match event.fact:
        case Opened():
            return AccountOpened(account_id=event.stream_id)
        case Added(by=by):
            return AccountGrew(account_id=event.stream_id, by=by)
        case Erased():
            return PersonErased(person_id=event.stream_id)
    return None
