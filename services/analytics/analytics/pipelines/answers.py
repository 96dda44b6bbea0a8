"""The pipelines that were told of, and the one that a question means."""

from uuid import UUID

from kernel.domain.errors import NotFound
from pydantic import BaseModel, Field

from analytics.answering import AsOf, as_of
from analytics.asking import refuse
from analytics.pipelines.semantics import Pipeline
from analytics.reading import Knowledge
from analytics.views import pipelines


class StageOut(BaseModel):
    id: str = Field(examples=["needs-confirmed"])
    name: str = Field(examples=["Needs confirmed"])
    milestone: str | None = Field(description="the milestone that benchmarks speak of")


class PipelineVersionOut(BaseModel):
    version: int
    stages: list[StageOut]


class PipelineOut(BaseModel):
    """`stages` are those of the newest version, in their order; a stage keeps its id through all versions."""

    id: UUID
    name: str = Field(examples=["New customers"])
    version: int
    stages: list[StageOut]
    versions: list[PipelineVersionOut]

    @classmethod
    def of(cls, id: UUID, pipeline: Pipeline) -> "PipelineOut":
        versions = [_version(number, pipeline) for number in sorted(pipeline.versions)]
        return cls(
            id=id,
            name=pipeline.name,
            version=pipeline.current,
            stages=versions[-1].stages,
            versions=versions,
        )


class PipelinesOut(AsOf):
    items: list[PipelineOut]


def _version(number: int, pipeline: Pipeline) -> PipelineVersionOut:
    stages = [StageOut(id=s.stage_id, name=s.name, milestone=s.milestone) for s in pipeline.versions[number]]
    return PipelineVersionOut(version=number, stages=stages)


async def list_pipelines(known: Knowledge) -> PipelinesOut:
    states = await known.states(pipelines, few=True)
    items = [PipelineOut.of(id, pipeline) for id, pipeline in states.items() if pipeline.versions]
    return PipelinesOut(**as_of(known), items=sorted(items, key=lambda item: (item.name, item.id)))


async def choose(known: Knowledge, pipeline_id: UUID | None) -> tuple[UUID, Pipeline]:
    """The named pipeline, or the only one there is."""
    states = await known.states(pipelines, few=True)
    if pipeline_id is None:
        if len(states) > 1:
            refuse("pipeline_id", "missing", f"there are {len(states)} pipelines: name one")
        if not states:
            raise NotFound("No pipeline has been told of yet.")
        return next(iter(states.items()))
    if pipeline_id not in states:
        raise NotFound("There is no such pipeline.")
    return pipeline_id, states[pipeline_id]
