"""The specification of a pipeline."""

from dataclasses import replace

import pytest
from kernel.domain.errors import Conflict, Invalid, NotFound
from kernel.testing.specs import Spec
from opportunities.pipeline.commands import (
    DefinePipeline,
    RedefinePipeline,
    ReinstatePipeline,
    RetirePipeline,
)
from opportunities.pipeline.decider import pipeline_decider
from opportunities.pipeline.events import (
    Milestone,
    PipelineDefined,
    PipelineRedefined,
    PipelineReinstated,
    PipelineRetired,
    Stage,
)
from opportunities.pipeline.templates import FIVE_STAGES, SEVEN_STAGES, TEMPLATES

from tests.opportunities.examples import (
    DEFINED,
    LEAD,
    NEXT_PIPELINE,
    OFFER,
    PIPELINE,
    REDEFINED,
    SIGNED,
    TALK,
    TRIAL,
)

given = Spec(pipeline_decider).given
STAGES = (LEAD, TALK, OFFER, SIGNED)
DEFINE = DefinePipeline(name="Direct sales", stages=STAGES)


def test_a_pipeline_is_defined_as_version_one() -> None:
    given().when(DEFINE).then(DEFINED)


def test_defining_it_again_in_the_same_words_is_nothing() -> None:
    given(DEFINED).when(DEFINE).then_nothing()


def test_another_definition_under_the_same_id_is_a_conflict() -> None:
    given(DEFINED).when(replace(DEFINE, name="Partners")).then_refused(Conflict, "PIPELINE_EXISTS")


def test_a_redefinition_is_the_next_version_and_tells_what_was_before() -> None:
    given(DEFINED).when(RedefinePipeline(stages=(LEAD, TRIAL, OFFER, SIGNED))).then(REDEFINED)


def test_versions_count_definitions_and_not_retirements() -> None:
    given(DEFINED, PipelineRetired(), PipelineReinstated()).when(RedefinePipeline(stages=(LEAD, TALK))).then(
        PipelineRedefined(
            pipeline_version=2,
            name="Direct sales",
            stages=(LEAD, TALK),
            previous_name="Direct sales",
            previous_stages=STAGES,
        )
    )


def test_a_stage_that_left_may_come_back_under_its_id() -> None:
    given(DEFINED, REDEFINED).when(RedefinePipeline(stages=STAGES)).then(
        PipelineRedefined(
            pipeline_version=3,
            name="Direct sales",
            stages=STAGES,
            previous_name="Direct sales",
            previous_stages=REDEFINED.stages,
        )
    )


def test_a_new_name_alone_is_a_new_version() -> None:
    given(DEFINED).when(RedefinePipeline(name="Key accounts", stages=STAGES)).then(
        PipelineRedefined(
            pipeline_version=2,
            name="Key accounts",
            stages=STAGES,
            previous_name="Direct sales",
            previous_stages=STAGES,
        )
    )


def test_redefining_it_as_it_is_is_nothing() -> None:
    given(DEFINED).when(RedefinePipeline(name="Direct sales", stages=STAGES)).then_nothing()
    given(DEFINED).when(RedefinePipeline(stages=STAGES)).then_nothing()


def test_a_pipeline_that_does_not_exist_cannot_be_changed() -> None:
    for command in (RedefinePipeline(stages=STAGES), RetirePipeline(), ReinstatePipeline()):
        given().when(command).then_refused(NotFound, "NOT_FOUND")


def test_retiring_and_reinstating_are_facts_once() -> None:
    given(DEFINED).when(RetirePipeline()).then(PipelineRetired())
    given(DEFINED).when(RetirePipeline(), RetirePipeline()).then_nothing()
    given(DEFINED).when(ReinstatePipeline()).then_nothing()
    given(DEFINED, PipelineRetired()).when(ReinstatePipeline()).then(PipelineReinstated())


def test_a_retired_pipeline_is_not_redefined() -> None:
    given(DEFINED, PipelineRetired()).when(RedefinePipeline(stages=(LEAD, TALK))).then_refused(
        Conflict, "PIPELINE_RETIRED"
    )


@pytest.mark.parametrize("count", [0, 1, 17])
def test_a_pipeline_has_two_to_sixteen_stages(count: int) -> None:
    stages = tuple(Stage(stage_id=f"s{n}", name="Stage") for n in range(count))
    given().when(DefinePipeline(name="Odd", stages=stages)).then_refused(Invalid, "STAGE_COUNT")


@pytest.mark.parametrize("count", [2, 16])
def test_two_stages_are_enough_and_sixteen_are_not_too_many(count: int) -> None:
    stages = tuple(Stage(stage_id=f"s{n}", name="Stage") for n in range(count))
    given().when(DefinePipeline(name="Fine", stages=stages)).then(
        PipelineDefined(pipeline_version=1, name="Fine", stages=stages)
    )


def test_a_stage_appears_once() -> None:
    given().when(DefinePipeline(name="Twice", stages=(LEAD, TALK, LEAD))).then_refused(
        Invalid, "STAGE_DUPLICATE"
    )


def test_a_milestone_appears_once_and_no_milestone_as_often_as_one_likes() -> None:
    again = Stage(stage_id="again", name="Again", milestone=Milestone.LEAD)
    given().when(DefinePipeline(name="Twice", stages=(LEAD, again))).then_refused(
        Invalid, "MILESTONE_DUPLICATE"
    )
    given().when(DefinePipeline(name="None", stages=(TALK, TRIAL))).then(
        PipelineDefined(pipeline_version=1, name="None", stages=(TALK, TRIAL))
    )


@pytest.mark.parametrize("stage_id", ["", "First", "first contact", "-first", "初次", "a" * 65])
def test_a_stage_id_is_a_slug(stage_id: str) -> None:
    stages = (LEAD, Stage(stage_id=stage_id, name="First"))
    given().when(DefinePipeline(name="Odd", stages=stages)).then_refused(Invalid, "VALIDATION_FAILED")


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "two\nlines", "nul\x00", "half \ud800"])
def test_names_of_pipelines_and_stages_are_a_line_of_at_most_a_hundred_characters(name: str) -> None:
    given().when(DefinePipeline(name=name, stages=STAGES)).then_refused(Invalid)
    given().when(DefinePipeline(name="Fine", stages=(LEAD, replace(TALK, name=name)))).then_refused(Invalid)
    given(DEFINED).when(RedefinePipeline(name=name, stages=STAGES)).then_refused(Invalid)


def test_the_order_of_a_stage_is_that_of_the_version() -> None:
    assert PIPELINE.order_of("offer") == 2
    assert PIPELINE.order_of("talk") == 1
    with pytest.raises(Invalid):
        NEXT_PIPELINE.order_of("talk")


def test_the_shipped_templates_can_be_defined_and_map_every_milestone_in_order() -> None:
    assert [len(one.english.stages) for one in TEMPLATES] == [7, 5]
    for one in TEMPLATES:
        for definition in (one.english, one.chinese):
            assert len(pipeline_decider.decide(pipeline_decider.initial, definition)) == 1
            assert [stage.milestone for stage in definition.stages if stage.milestone] == list(Milestone)


def test_a_template_is_the_same_pipeline_in_either_language_and_on_every_machine() -> None:
    for one in TEMPLATES:
        assert [stage.stage_id for stage in one.english.stages] == [
            stage.stage_id for stage in one.chinese.stages
        ]
    assert str(SEVEN_STAGES.pipeline_id) == "99033bb2-1c7d-5b59-9b7f-7b9c2b0d3347"
    assert str(FIVE_STAGES.pipeline_id) == "848e6900-a9b0-5506-a1fa-4890b25052f6"
