"""Deals over HTTP: one route per command; read, list, timeline."""

from functools import partial
from typing import Literal
from uuid import UUID

from fastapi import APIRouter
from kernel.web.commands import Operation, route
from kernel.web.paging import ListQuery, ListRead
from kernel.web.reads import RecordRead, TimelineRead, show

from opportunities.fields import Label, Slug
from opportunities.opportunity.aggregate import opportunity
from opportunities.opportunity.requests import (
    Creation,
    EntryVoiding,
    Loss,
    NewAmount,
    NewExpectedClose,
    Reassignment,
    Reopening,
    StageEntry,
    Win,
)
from opportunities.opportunity.responses import OpportunityItem, OpportunityOut, listed
from opportunities.opportunity.views.pipeline import deals

router = APIRouter(tags=["opportunities"])


class OpportunityListQuery(ListQuery):
    sort: Literal[
        "created_at", "-created_at", "updated_at", "-updated_at", "expected_close", "-expected_close"
    ] = "-created_at"
    status: Literal["open", "won", "lost"] | None = None
    pipeline_id: UUID | None = None
    stage_id: Slug | None = None
    owner_id: UUID | None = None
    customer_id: UUID | None = None
    source: Label | None = None


writing = partial(Operation, aggregate=opportunity, answer=OpportunityOut.of, model=OpportunityOut)

operations = route(
    router,
    [
        writing(
            id="opportunities.create",
            path="/v1/opportunities",
            body=Creation,
            summary="Start a deal in a pipeline",
            creates=True,
        ),
        writing(
            id="opportunities.enter-stage",
            path="/v1/opportunities/{id}/enter-stage",
            body=StageEntry,
            summary="Move a deal to a stage: forward, skipping or back",
        ),
        writing(
            id="opportunities.void-stage-entry",
            path="/v1/opportunities/{id}/void-stage-entry",
            body=EntryVoiding,
            summary="Take a wrong stage entry back, as if it had never been",
        ),
        writing(
            id="opportunities.change-amount",
            path="/v1/opportunities/{id}/amount",
            method="PUT",
            body=NewAmount,
            summary="Change what a deal is worth",
            if_match=True,
        ),
        writing(
            id="opportunities.change-expected-close",
            path="/v1/opportunities/{id}/expected-close",
            method="PUT",
            body=NewExpectedClose,
            summary="Change the day a deal is expected to close",
            if_match=True,
        ),
        writing(
            id="opportunities.reassign",
            path="/v1/opportunities/{id}/owner",
            method="PUT",
            body=Reassignment,
            summary="Set who owns a deal",
            if_match=True,
        ),
        writing(
            id="opportunities.win",
            path="/v1/opportunities/{id}/win",
            body=Win,
            summary="Win a deal",
        ),
        writing(
            id="opportunities.lose",
            path="/v1/opportunities/{id}/lose",
            body=Loss,
            summary="Lose a deal, for a reason",
        ),
        writing(
            id="opportunities.reopen",
            path="/v1/opportunities/{id}/reopen",
            body=Reopening,
            summary="Begin another attempt at a closed deal",
        ),
    ],
)


reads = show(
    router,
    [
        ListRead(
            id="opportunities.list",
            path="/v1/opportunities",
            category=opportunity.category,
            view=deals,
            query=OpportunityListQuery,
            item=OpportunityItem,
            needs=("amount_minor",),
            other=listed,
            summary="List deals",
        ),
        RecordRead(
            id="opportunities.read",
            path="/v1/opportunities/{id}",
            aggregate=opportunity,
            of=OpportunityOut.of,
            model=OpportunityOut,
            summary="Read a deal with its stage entries and its outcome",
        ),
        TimelineRead(
            id="opportunities.timeline",
            path="/v1/opportunities/{id}/timeline",
            aggregate=opportunity,
            summary="Everything that happened to a deal",
        ),
    ],
)
