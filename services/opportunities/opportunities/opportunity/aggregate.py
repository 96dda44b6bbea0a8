"""The deal: decider, the pipeline it is decided under, stored facts, read model and owner, tied together."""

from uuid import UUID

from kernel.storage.aggregate import Aggregate, Rules
from kernel.storage.codec import EventCodec

from opportunities.opportunity.commands import CreateOpportunity, EnterStage, OpportunityCommand
from opportunities.opportunity.decider import opportunity_decider
from opportunities.opportunity.events import OpportunityEvent
from opportunities.opportunity.state import Opportunity
from opportunities.opportunity.views.pipeline import deals
from opportunities.pipeline.aggregate import pipeline


def pipeline_of(deal: Opportunity, command: OpportunityCommand) -> UUID | None:
    """Only what places a deal in a stage is decided under a pipeline."""
    match command:
        case CreateOpportunity():
            return command.pipeline_id
        case EnterStage():
            return deal.pipeline_id
    return None


opportunity = Aggregate(
    category="opportunity",
    decider=opportunity_decider,
    codec=EventCodec(OpportunityEvent),
    views=(deals,),
    rules=Rules(aggregate=pipeline, which=pipeline_of),
    owner=lambda state: state,
)
