"""The rules of a pipeline; its state is in turn the rule book of the deals in it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import assert_never

from kernel.domain.decider import Decider
from kernel.domain.errors import Conflict, Invalid, NotFound

from opportunities.guards import must_be_line, must_be_slug
from opportunities.pipeline.commands import (
    DefinePipeline,
    PipelineCommand,
    RedefinePipeline,
    ReinstatePipeline,
    RetirePipeline,
)
from opportunities.pipeline.events import (
    PipelineDefined,
    PipelineEvent,
    PipelineRedefined,
    PipelineReinstated,
    PipelineRetired,
    Stage,
)

FEWEST_STAGES = 2
MOST_STAGES = 16


class Status(Enum):
    MISSING = auto()
    ACTIVE = auto()
    RETIRED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """`version` counts the definitions, not the facts: retiring a pipeline changes none of its stages."""

    status: Status = Status.MISSING
    version: int = 0
    name: str = ""
    stages: tuple[Stage, ...] = ()

    def order_of(self, stage_id: str) -> int:
        for order, stage in enumerate(self.stages):
            if stage.stage_id == stage_id:
                return order
        raise Invalid("The pipeline has no such stage.", code="STAGE_UNKNOWN", stage_id=stage_id)


def decide(pipeline: Pipeline, command: PipelineCommand) -> Sequence[PipelineEvent]:
    match command:
        case DefinePipeline():
            return define(pipeline, command)
        case RedefinePipeline():
            return redefine(pipeline, command)
        case RetirePipeline():
            return retire(pipeline)
        case ReinstatePipeline():
            return reinstate(pipeline)
        case _:
            assert_never(command)


def evolve(pipeline: Pipeline, event: PipelineEvent) -> Pipeline:
    match event:
        case PipelineDefined() | PipelineRedefined():
            return Pipeline(
                status=Status.ACTIVE, version=event.pipeline_version, name=event.name, stages=event.stages
            )
        case PipelineRetired():
            return replace(pipeline, status=Status.RETIRED)
        case PipelineReinstated():
            return replace(pipeline, status=Status.ACTIVE)
        case _:
            assert_never(event)


def define(pipeline: Pipeline, command: DefinePipeline) -> Sequence[PipelineEvent]:
    if pipeline.status is not Status.MISSING:
        if (pipeline.name, pipeline.stages) == (command.name, command.stages):
            return []
        raise Conflict("There is a pipeline with this id already.", code="PIPELINE_EXISTS")
    must_be_line("name", command.name)
    must_be_a_sequence_of_stages(command.stages)
    return [PipelineDefined(pipeline_version=1, name=command.name, stages=command.stages)]


def redefine(pipeline: Pipeline, command: RedefinePipeline) -> Sequence[PipelineEvent]:
    must_exist(pipeline)
    name = pipeline.name if command.name is None else command.name
    if (name, command.stages) == (pipeline.name, pipeline.stages):
        return []
    pipeline_must_take_deals(pipeline)
    must_be_line("name", name)
    must_be_a_sequence_of_stages(command.stages)
    return [
        PipelineRedefined(
            pipeline_version=pipeline.version + 1,
            name=name,
            stages=command.stages,
            previous_name=pipeline.name,
            previous_stages=pipeline.stages,
        )
    ]


def retire(pipeline: Pipeline) -> Sequence[PipelineEvent]:
    must_exist(pipeline)
    return [] if pipeline.status is Status.RETIRED else [PipelineRetired()]


def reinstate(pipeline: Pipeline) -> Sequence[PipelineEvent]:
    must_exist(pipeline)
    return [] if pipeline.status is Status.ACTIVE else [PipelineReinstated()]


def must_exist(pipeline: Pipeline) -> None:
    if pipeline.status is Status.MISSING:
        raise NotFound("There is no such record.")


def pipeline_must_exist(pipeline: Pipeline) -> None:
    """For whoever names it: the record asked for is another one."""
    if pipeline.status is Status.MISSING:
        raise NotFound("There is no such pipeline.", code="PIPELINE_NOT_FOUND")


def pipeline_must_take_deals(pipeline: Pipeline) -> None:
    pipeline_must_exist(pipeline)
    if pipeline.status is Status.RETIRED:
        raise Conflict("This pipeline is retired.", code="PIPELINE_RETIRED")


def must_be_a_sequence_of_stages(stages: tuple[Stage, ...]) -> None:
    if not FEWEST_STAGES <= len(stages) <= MOST_STAGES:
        raise Invalid(
            f"A pipeline has {FEWEST_STAGES} to {MOST_STAGES} stages.", code="STAGE_COUNT", count=len(stages)
        )
    for stage in stages:
        must_be_slug("stage_id", stage.stage_id)
        must_be_line("name", stage.name)
    must_not_repeat([stage.stage_id for stage in stages], "stage", "STAGE_DUPLICATE")
    must_not_repeat(
        [stage.milestone for stage in stages if stage.milestone], "milestone", "MILESTONE_DUPLICATE"
    )


def must_not_repeat(values: Sequence[str], what: str, code: str) -> None:
    repeated = sorted({value for value in values if values.count(value) > 1})
    if repeated:
        raise Invalid(
            f"A {what} may appear once in a pipeline.", code=code, repeated=list(map(str, repeated))
        )


pipeline_decider = Decider(decide=decide, evolve=evolve, initial=Pipeline())
