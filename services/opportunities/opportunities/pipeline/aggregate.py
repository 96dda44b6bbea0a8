"""The pipeline: decider, stored facts and read model, tied together."""

from kernel.storage.aggregate import Aggregate
from kernel.storage.codec import EventCodec

from opportunities.pipeline.decider import pipeline_decider
from opportunities.pipeline.events import PipelineEvent
from opportunities.pipeline.views.directory import directory

pipeline = Aggregate(
    category="pipeline",
    decider=pipeline_decider,
    codec=EventCodec(PipelineEvent),
    views=(directory,),
)
