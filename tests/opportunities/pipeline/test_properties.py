"""What holds for a pipeline whatever is asked of it, in whatever order."""

from hypothesis import given
from hypothesis import strategies as st
from opportunities.pipeline.commands import (
    DefinePipeline,
    PipelineCommand,
    RedefinePipeline,
    ReinstatePipeline,
    RetirePipeline,
)
from opportunities.pipeline.decider import Pipeline, Status, pipeline_decider
from opportunities.pipeline.events import Milestone, PipelineDefined, PipelineRedefined, Stage

from tests.opportunities.walks import walk

names = st.one_of(st.sampled_from(["Direct", "Partners"]), st.text(max_size=3))
stages = st.lists(
    st.builds(
        Stage,
        stage_id=st.one_of(st.sampled_from("abcdefgh"), st.text(max_size=2)),
        name=names,
        milestone=st.one_of(st.none(), st.sampled_from(Milestone)),
    ),
    max_size=5,
    unique_by=lambda stage: stage.stage_id,
).map(tuple)
commands: st.SearchStrategy[PipelineCommand] = st.one_of(
    st.builds(DefinePipeline, name=names, stages=stages),
    st.builds(RedefinePipeline, name=st.one_of(st.none(), names), stages=stages),
    st.builds(RetirePipeline),
    st.builds(ReinstatePipeline),
)


@given(st.lists(commands, max_size=20))
def test_any_sequence_of_commands_leaves_a_sound_pipeline(asked: list[PipelineCommand]) -> None:
    history, pipeline = walk(Pipeline(), ((pipeline_decider, command) for command in asked))
    versions = [
        fact.pipeline_version for fact in history if isinstance(fact, PipelineDefined | PipelineRedefined)
    ]
    assert versions == list(range(1, len(versions) + 1))
    if pipeline.status is not Status.MISSING:
        assert pipeline.version == versions[-1]
        assert 2 <= len(pipeline.stages) <= 16
        assert [pipeline.order_of(stage.stage_id) for stage in pipeline.stages] == list(
            range(len(pipeline.stages))
        )
