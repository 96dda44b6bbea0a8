"""The rules of a contact: a person who can be corrected, linked, owned, and erased for good."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import assert_never
from uuid import UUID

from kernel.domain.decider import Decider
from kernel.domain.errors import Conflict, NotFound
from kernel.domain.personal import Personal

from contacts.contact.commands import (
    ContactCommand,
    CorrectContact,
    ErasePerson,
    LinkContact,
    RegisterContact,
    SetContactOwner,
)
from contacts.contact.events import (
    ContactCorrected,
    ContactEvent,
    ContactLinked,
    ContactOwnerSet,
    ContactRegistered,
    PersonErased,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """The whole profile, because a correction is compared with it."""

    registered: bool = False
    erased: bool = False
    name: Personal[str] = None
    email: Personal[str] = None
    phone: Personal[str] = None
    address: Personal[str] = None
    note: Personal[str] = None
    position: str | None = None
    decision_role: str | None = None
    preferred_channel: str | None = None
    source: str | None = None
    company_id: UUID | None = None
    owner_id: UUID | None = None
    owner_team: str | None = None


def decide(contact: Contact, command: ContactCommand) -> Sequence[ContactEvent]:
    match command:
        case RegisterContact():
            return register(contact, command)
        case CorrectContact():
            return correct(contact, command)
        case LinkContact():
            return link(contact, command)
        case SetContactOwner():
            return set_owner(contact, command)
        case ErasePerson():
            return erase(contact, command)
        case _:
            assert_never(command)


def evolve(contact: Contact, event: ContactEvent) -> Contact:
    match event:
        case ContactRegistered():
            return Contact(
                registered=True,
                name=event.name,
                email=event.email,
                phone=event.phone,
                address=event.address,
                note=event.note,
                position=event.position,
                decision_role=event.decision_role,
                preferred_channel=event.preferred_channel,
                source=event.source,
                company_id=event.company_id,
                owner_id=event.owner_id,
                owner_team=event.owner_team,
            )
        case ContactCorrected():
            return described(contact, event)
        case ContactLinked():
            return replace(contact, company_id=event.company_id)
        case ContactOwnerSet():
            return replace(contact, owner_id=event.owner_id, owner_team=event.owner_team)
        case PersonErased():
            # Emptied here too, so that the fold is the same before and after the key is gone.
            return replace(contact, erased=True, name=None, email=None, phone=None, address=None, note=None)
        case _:
            assert_never(event)


def register(contact: Contact, command: RegisterContact) -> Sequence[ContactEvent]:
    must_not_be_erased(contact)
    must_be_new(contact)
    return [
        ContactRegistered(
            name=command.name,
            email=command.email,
            phone=command.phone,
            address=command.address,
            note=command.note,
            position=command.position,
            decision_role=command.decision_role,
            preferred_channel=command.preferred_channel,
            source=command.source,
            company_id=command.company_id,
            owner_id=command.owner_id,
            owner_team=command.owner_team,
        )
    ]


def correct(contact: Contact, command: CorrectContact) -> Sequence[ContactEvent]:
    must_exist(contact)
    must_not_be_erased(contact)
    if described(contact, command) == contact:
        return []
    return [
        ContactCorrected(
            name=command.name,
            email=command.email,
            phone=command.phone,
            address=command.address,
            note=command.note,
            position=command.position,
            decision_role=command.decision_role,
            preferred_channel=command.preferred_channel,
            source=command.source,
            previous_name=contact.name,
            previous_email=contact.email,
            previous_phone=contact.phone,
            previous_address=contact.address,
            previous_note=contact.note,
            previous_position=contact.position,
            previous_decision_role=contact.decision_role,
            previous_preferred_channel=contact.preferred_channel,
            previous_source=contact.source,
        )
    ]


def link(contact: Contact, command: LinkContact) -> Sequence[ContactEvent]:
    must_exist(contact)
    if contact.company_id == command.company_id:
        return []
    return [ContactLinked(company_id=command.company_id, previous_company_id=contact.company_id)]


def set_owner(contact: Contact, command: SetContactOwner) -> Sequence[ContactEvent]:
    must_exist(contact)
    if (contact.owner_id, contact.owner_team) == (command.owner_id, command.owner_team):
        return []
    return [
        ContactOwnerSet(
            owner_id=command.owner_id,
            owner_team=command.owner_team,
            previous_owner_id=contact.owner_id,
            previous_owner_team=contact.owner_team,
        )
    ]


def erase(contact: Contact, command: ErasePerson) -> Sequence[ContactEvent]:
    must_exist(contact)
    if contact.erased:
        return []
    return [PersonErased(reason=command.reason)]


def described(contact: Contact, profile: ContactCorrected | CorrectContact) -> Contact:
    return replace(
        contact,
        name=profile.name,
        email=profile.email,
        phone=profile.phone,
        address=profile.address,
        note=profile.note,
        position=profile.position,
        decision_role=profile.decision_role,
        preferred_channel=profile.preferred_channel,
        source=profile.source,
    )


def must_be_new(contact: Contact) -> None:
    if contact.registered:
        raise Conflict("This contact is already registered.", code="CONTACT_EXISTS")


def must_exist(contact: Contact) -> None:
    if not contact.registered:
        # In the words in which a record that the caller may not see is refused: nobody learns that there is one.
        raise NotFound("There is no such record.")


def must_not_be_erased(contact: Contact) -> None:
    if contact.erased:
        raise Conflict("This person was erased; nothing about them is written again.", code="PERSON_ERASED")


contact_decider = Decider(decide=decide, evolve=evolve, initial=Contact())
