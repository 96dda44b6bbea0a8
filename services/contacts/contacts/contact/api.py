"""Contacts over HTTP: register, correct, link, set owner, erase; read, list, timeline."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter
from kernel.storage.aggregate import Handled
from kernel.web.commands import CommandBody, CreationBody, Operation, route
from kernel.web.fields import Name, OneLine, Prose, Slug
from kernel.web.paging import ListRead
from kernel.web.problems import register
from kernel.web.reads import RecordRead, TimelineRead, show
from pydantic import BaseModel, Field, StringConstraints

from contacts.contact.aggregate import contact
from contacts.contact.commands import (
    CorrectContact,
    ErasePerson,
    LinkContact,
    RegisterContact,
    SetContactOwner,
)
from contacts.contact.decider import Contact
from contacts.contact.events import ContactEvent
from contacts.contact.views.directory import FILTERS, ContactItem, ContactListQuery, directory, job
from contacts.problems import PROBLEMS

# Before the routes: each documents the problems that are registered when it is made.
register(PROBLEMS)
router = APIRouter(tags=["contacts"])

_PART = r"[^\s@\x00-\x1f\x7f]"
Email = Annotated[str, StringConstraints(max_length=254, pattern=rf"^{_PART}{{1,64}}@{_PART}{{1,189}}$")]


class ContactProfile(CommandBody):
    name: Name = Field(examples=["李娜 Li Na"])
    email: Email | None = Field(None, examples=["li.na@huaxia.example"])
    phone: Annotated[OneLine, Field(max_length=50)] | None = Field(None, examples=["+86 21 5550 1234"])
    address: Annotated[Prose, Field(max_length=1000)] | None = Field(
        None, examples=["88 Century Avenue, Shanghai"]
    )
    note: Prose | None = Field(None, examples=["Prefers mornings."])
    position: OneLine | None = Field(None, examples=["head of purchasing"])
    decision_role: Slug | None = Field(None, examples=["decider"])
    preferred_channel: Slug | None = Field(None, examples=["phone"])
    source: Slug | None = Field(None, examples=["referral"])


class ContactRegistration(ContactProfile, CreationBody):
    company_id: UUID | None = None
    owner_id: UUID | None = None
    owner_team: OneLine | None = Field(None, examples=["east"])

    def command(self) -> RegisterContact:
        return RegisterContact(
            **profile(self), company_id=self.company_id, owner_id=self.owner_id, owner_team=self.owner_team
        )


class ContactCorrection(ContactProfile):
    def command(self) -> CorrectContact:
        return CorrectContact(**profile(self))


class CompanyLink(CommandBody):
    company_id: UUID | None = Field(
        description="null takes the contact out of its company",
        examples=["01920000-0000-7000-8000-00000000c001"],
    )

    def command(self) -> LinkContact:
        return LinkContact(company_id=self.company_id)


class ContactOwnership(CommandBody):
    owner_id: UUID | None = Field(examples=["01920000-0000-7000-8000-00000000e001"])
    owner_team: OneLine | None = Field(examples=["east"])

    def command(self) -> SetContactOwner:
        return SetContactOwner(owner_id=self.owner_id, owner_team=self.owner_team)


class Erasure(CommandBody):
    reason: Slug = Field(
        description="why, in a word that names no one", examples=["requested", "retention_over"]
    )

    def command(self) -> ErasePerson:
        return ErasePerson(reason=self.reason)


class ContactOut(BaseModel):
    """Everything personal is null once the person was erased."""

    id: UUID
    version: int
    erased: bool
    name: str | None
    email: str | None
    phone: str | None
    address: str | None
    note: str | None
    position: str | None
    decision_role: str | None
    preferred_channel: str | None
    source: str | None
    company_id: UUID | None
    owner_id: UUID | None
    owner_team: str | None

    @classmethod
    def of(cls, handled: Handled[Contact, ContactEvent]) -> "ContactOut":
        state = handled.state
        return cls(
            id=handled.stream_id,
            version=handled.version,
            erased=state.erased,
            name=state.name,
            email=state.email,
            phone=state.phone,
            address=state.address,
            note=state.note,
            position=state.position,
            decision_role=state.decision_role,
            preferred_channel=state.preferred_channel,
            source=state.source,
            company_id=state.company_id,
            owner_id=state.owner_id,
            owner_team=state.owner_team,
        )


class ErasedOut(BaseModel):
    id: UUID
    version: int
    erased: bool

    @classmethod
    def of(cls, handled: Handled[Contact, ContactEvent]) -> "ErasedOut":
        return cls(id=handled.stream_id, version=handled.version, erased=handled.state.erased)


_PROFILE = tuple(name for name in ContactProfile.model_fields if name != "occurred_at")


def profile(body: ContactProfile) -> dict[str, Any]:
    """The descriptive fields, as both commands take them."""
    return {name: getattr(body, name) for name in _PROFILE}


operations = route(
    router,
    [
        Operation(
            id="contacts.register",
            path="/v1/contacts",
            aggregate=contact,
            body=ContactRegistration,
            answer=ContactOut.of,
            model=ContactOut,
            summary="Register a contact",
            creates=True,
        ),
        Operation(
            id="contacts.correct",
            path="/v1/contacts/{id}",
            method="PUT",
            aggregate=contact,
            body=ContactCorrection,
            answer=ContactOut.of,
            model=ContactOut,
            summary="Correct a contact's profile",
            if_match=True,
        ),
        Operation(
            id="contacts.link",
            path="/v1/contacts/{id}/link",
            aggregate=contact,
            body=CompanyLink,
            answer=ContactOut.of,
            model=ContactOut,
            summary="Link a contact to a company, or to none",
        ),
        Operation(
            id="contacts.set-owner",
            path="/v1/contacts/{id}/owner",
            aggregate=contact,
            body=ContactOwnership,
            answer=ContactOut.of,
            model=ContactOut,
            summary="Set who owns a contact",
            if_match=True,
        ),
        Operation(
            id="contacts.erase",
            path="/v1/contacts/{id}/erase",
            aggregate=contact,
            body=Erasure,
            answer=ErasedOut.of,
            model=ErasedOut,
            summary="Erase a person for good, in every service",
        ),
    ],
)


reads = show(
    router,
    [
        ListRead(
            id="contacts.list",
            path="/v1/contacts",
            category=contact.category,
            view=directory,
            query=ContactListQuery,
            item=ContactItem,
            conditions=FILTERS,
            needs=("job",),
            other=job,
            summary="List and search contacts, all or those of a company",
        ),
        RecordRead(
            id="contacts.read",
            path="/v1/contacts/{id}",
            aggregate=contact,
            of=ContactOut.of,
            model=ContactOut,
            summary="Read a contact",
        ),
        TimelineRead(
            id="contacts.timeline",
            path="/v1/contacts/{id}/timeline",
            aggregate=contact,
            summary="Everything that happened to a contact",
        ),
    ],
)
