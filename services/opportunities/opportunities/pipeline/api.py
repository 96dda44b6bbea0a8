"""Pipelines over HTTP: define, redefine, retire, reinstate; read, list, timeline; the templates."""

from functools import partial
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from kernel.storage.aggregate import Handled
from kernel.web.commands import CommandBody, CreationBody, Operation, route
from kernel.web.documents import problem_responses
from kernel.web.paging import ListRead
from kernel.web.reads import RecordRead, TimelineRead, show
from kernel.web.requests import Caller
from pydantic import BaseModel, ConfigDict, Field

from opportunities.fields import Label, Slug
from opportunities.pipeline.aggregate import pipeline
from opportunities.pipeline.commands import (
    DefinePipeline,
    RedefinePipeline,
    ReinstatePipeline,
    RetirePipeline,
)
from opportunities.pipeline.decider import FEWEST_STAGES, MOST_STAGES, Pipeline
from opportunities.pipeline.events import Milestone, PipelineEvent, Stage
from opportunities.pipeline.templates import TEMPLATES
from opportunities.pipeline.views.directory import PipelineItem, PipelineListQuery, directory

router = APIRouter(tags=["pipelines"])

_STAGES = [
    {"stage_id": "lead", "name": "Lead", "milestone": "lead"},
    {"stage_id": "offer", "name": "Offer made", "milestone": "needs_confirmed"},
    {"stage_id": "signed", "name": "Signed", "milestone": "signed"},
]


class StageField(BaseModel):
    """The id is the stage, whatever it is called; a milestone maps it to the benchmark funnel."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage_id: Slug
    name: Label
    milestone: Milestone | None = None

    def stage(self) -> Stage:
        return Stage(stage_id=self.stage_id, name=self.name, milestone=self.milestone)

    @classmethod
    def of(cls, stage: Stage) -> "StageField":
        return cls.model_construct(stage_id=stage.stage_id, name=stage.name, milestone=stage.milestone)


Stages = Annotated[
    list[StageField], Field(min_length=FEWEST_STAGES, max_length=MOST_STAGES, examples=[_STAGES])
]


class Definition(CreationBody):
    name: Label = Field(examples=["Direct sales 直销"])
    stages: Stages

    def command(self) -> DefinePipeline:
        return DefinePipeline(name=self.name, stages=tuple(stage.stage() for stage in self.stages))


class Redefinition(CommandBody):
    name: Label | None = Field(None, description="left out, it stays", examples=["Direct sales"])
    stages: Stages

    def command(self) -> RedefinePipeline:
        return RedefinePipeline(name=self.name, stages=tuple(stage.stage() for stage in self.stages))


class Retirement(CommandBody):
    def command(self) -> RetirePipeline:
        return RetirePipeline()


class Reinstatement(CommandBody):
    def command(self) -> ReinstatePipeline:
        return ReinstatePipeline()


class PipelineOut(BaseModel):
    """`version` counts the facts, `pipeline_version` the definitions: deals name the second."""

    id: UUID
    version: int
    status: str
    pipeline_version: int
    name: str
    stages: list[StageField]

    @classmethod
    def of(cls, handled: Handled[Pipeline, PipelineEvent]) -> "PipelineOut":
        state = handled.state
        return cls(
            id=handled.stream_id,
            version=handled.version,
            status=state.status.name.lower(),
            pipeline_version=state.version,
            name=state.name,
            stages=[StageField.of(stage) for stage in state.stages],
        )


class TemplateOut(BaseModel):
    """A body for `pipelines.define`, ready to send; the id is the same in both languages."""

    id: UUID
    name: str
    stages: list[StageField]


class Templates(BaseModel):
    items: list[TemplateOut]


class TemplateQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    language: Literal["en", "zh"] = "en"


writing = partial(Operation, aggregate=pipeline, answer=PipelineOut.of, model=PipelineOut)

operations = route(
    router,
    [
        writing(
            id="pipelines.define",
            path="/v1/pipelines",
            body=Definition,
            summary="Define a pipeline",
            creates=True,
        ),
        writing(
            id="pipelines.redefine",
            path="/v1/pipelines/{id}",
            method="PUT",
            body=Redefinition,
            summary="Give a pipeline other stages from now on",
            if_match=True,
        ),
        writing(
            id="pipelines.retire",
            path="/v1/pipelines/{id}/retire",
            body=Retirement,
            summary="Start no more deals in a pipeline",
        ),
        writing(
            id="pipelines.reinstate",
            path="/v1/pipelines/{id}/reinstate",
            body=Reinstatement,
            summary="Start deals in a retired pipeline again",
        ),
    ],
)


@router.get(
    "/v1/pipeline-templates",
    operation_id="pipelines.templates",
    summary="The pipelines that ship with the product",
    response_model=Templates,
    responses=problem_responses(401, 403, 422),
)
async def templates(query: Annotated[TemplateQuery, Query()], call: Caller) -> Templates:
    call.policy.read_scope(call.principal, pipeline.category)
    items = []
    for template in TEMPLATES:
        definition = template.chinese if query.language == "zh" else template.english
        stages = [StageField.of(stage) for stage in definition.stages]
        items.append(TemplateOut(id=template.pipeline_id, name=definition.name, stages=stages))
    return Templates(items=items)


reads = show(
    router,
    [
        ListRead(
            id="pipelines.list",
            path="/v1/pipelines",
            category=pipeline.category,
            view=directory,
            query=PipelineListQuery,
            item=PipelineItem,
            summary="List pipelines",
        ),
        RecordRead(
            id="pipelines.read",
            path="/v1/pipelines/{id}",
            aggregate=pipeline,
            of=PipelineOut.of,
            model=PipelineOut,
            summary="Read a pipeline",
        ),
        TimelineRead(
            id="pipelines.timeline",
            path="/v1/pipelines/{id}/timeline",
            aggregate=pipeline,
            summary="Everything that happened to a pipeline",
        ),
    ],
)
