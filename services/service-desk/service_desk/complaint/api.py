"""Complaints over HTTP: register, assign, reply, resolve, confirm, reopen, close; read, queue, timeline."""

from uuid import UUID

from fastapi import APIRouter
from kernel.domain.clock import now
from kernel.web.commands import CommandBody, CreationBody, Operation, route
from kernel.web.fields import OneLine, Prose, Slug
from kernel.web.paging import ListRead
from kernel.web.problems import register
from kernel.web.reads import RecordRead, TimelineRead, show
from pydantic import Field

from service_desk.complaint.aggregate import complaint
from service_desk.complaint.card import ComplaintOut
from service_desk.complaint.commands import (
    AssignComplaint,
    CloseComplaint,
    ConfirmResolution,
    EscalateComplaint,
    RegisterComplaint,
    ReopenComplaint,
    ResolveComplaint,
    SendFirstReply,
)
from service_desk.complaint.views.queue import QueueItem, QueueQuery, queue
from service_desk.problems import PROBLEMS

# Before the routes: each documents the problems that are registered when it is made.
register(PROBLEMS)
router = APIRouter(tags=["complaints"])

# In each `command()`, `at` is a first word only: the committer puts the fact's own, checked time there.


class ComplaintRegistration(CreationBody):
    customer_id: UUID = Field(examples=["01920000-0000-7000-8000-00000000c001"])
    person_id: UUID | None = Field(
        None,
        description="the contact who complains; the words are erased with them",
        examples=["01920000-0000-7000-8000-00000000a001"],
    )
    subject: OneLine = Field(examples=["Broken bearing"])
    description: Prose = Field(examples=["Three of forty arrived cracked."])
    channel: Slug = Field(examples=["phone"])
    category: Slug | None = Field(None, examples=["product"])
    priority: Slug = Field("normal", examples=["urgent"])
    owner_id: UUID | None = None
    owner_team: OneLine | None = Field(None, examples=["desk"])

    def command(self) -> RegisterComplaint:
        said = self.model_dump(exclude={"id", "occurred_at"})
        return RegisterComplaint(**said, at=self.occurred_at or now())


class Assignment(CommandBody):
    owner_id: UUID | None = Field(examples=["01920000-0000-7000-8000-00000000e001"])
    owner_team: OneLine | None = Field(examples=["desk"])

    def command(self) -> AssignComplaint:
        return AssignComplaint(owner_id=self.owner_id, owner_team=self.owner_team)


class Escalation(CommandBody):
    reason: Slug = Field(examples=["third-time"])

    def command(self) -> EscalateComplaint:
        return EscalateComplaint(reason=self.reason)


class FirstReply(CommandBody):
    text: Prose | None = Field(
        None,
        description="left out where the reply was given elsewhere, on the phone for one",
        examples=["We are sorry and are looking into it."],
    )

    def command(self) -> SendFirstReply:
        return SendFirstReply(text=self.text, at=self.occurred_at or now())


class Resolution(CommandBody):
    solution: Prose | None = Field(
        None,
        description="left out for an erased person, of whom nothing is written any more",
        examples=["Replaced free of charge."],
    )

    def command(self) -> ResolveComplaint:
        return ResolveComplaint(solution=self.solution, at=self.occurred_at or now())


class Confirmation(CommandBody):
    def command(self) -> ConfirmResolution:
        return ConfirmResolution()


class Reopening(CommandBody):
    reason: Prose | None = Field(
        None,
        description="left out for an erased person, of whom nothing is written any more",
        examples=["The new ones cracked too."],
    )

    def command(self) -> ReopenComplaint:
        return ReopenComplaint(reason=self.reason)


class Closing(CommandBody):
    def command(self) -> CloseComplaint:
        return CloseComplaint()


def step(name: str, body: type[CommandBody], summary: str, *, if_match: bool = False) -> Operation:
    """What is done to a complaint that is there."""
    return Operation(
        id=f"complaints.{name}",
        path=f"/v1/complaints/{{id}}/{name}",
        aggregate=complaint,
        body=body,
        answer=ComplaintOut.of,
        model=ComplaintOut,
        summary=summary,
        if_match=if_match,
    )


operations = route(
    router,
    [
        Operation(
            id="complaints.register",
            path="/v1/complaints",
            aggregate=complaint,
            body=ComplaintRegistration,
            answer=ComplaintOut.of,
            model=ComplaintOut,
            summary="Register a complaint",
            creates=True,
        ),
        step("assign", Assignment, "Say who takes care of a complaint", if_match=True),
        step("escalate", Escalation, "Pass a complaint up"),
        step("send-first-reply", FirstReply, "Give the promised first reply"),
        step("resolve", Resolution, "Resolve a complaint"),
        step("confirm", Confirmation, "Note that the customer calls it solved"),
        step("reopen", Reopening, "Reopen a complaint whose end had come"),
        step("close", Closing, "Close a resolved complaint"),
    ],
)


reads = show(
    router,
    [
        ListRead(
            id="complaints.list",
            path="/v1/complaints",
            category=complaint.category,
            view=queue,
            query=QueueQuery,
            item=QueueItem,
            summary="The queue: open complaints by the time their reply is due",
        ),
        RecordRead(
            id="complaints.read",
            path="/v1/complaints/{id}",
            aggregate=complaint,
            of=ComplaintOut.of,
            model=ComplaintOut,
            summary="Read a complaint",
        ),
        TimelineRead(
            id="complaints.timeline",
            path="/v1/complaints/{id}/timeline",
            aggregate=complaint,
            summary="Everything that happened to a complaint",
        ),
    ],
)
