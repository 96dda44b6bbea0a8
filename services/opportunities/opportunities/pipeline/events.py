"""What happened to a pipeline. Every definition is a version of its own and is kept whole."""

from dataclasses import dataclass
from enum import StrEnum


class Milestone(StrEnum):
    """A point of the benchmark funnel, reached by entering the stage that carries it."""

    LEAD = "lead"
    FIRST_CONTACT = "first_contact"
    NEEDS_CONFIRMED = "needs_confirmed"
    PROPOSAL_ACCEPTED = "proposal_accepted"
    SIGNED = "signed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The id is the stage: it may be renamed and moved, and one that left and comes back is the same."""

    stage_id: str
    name: str
    milestone: Milestone | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineDefined:
    pipeline_version: int
    name: str
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineRedefined:
    pipeline_version: int
    name: str
    stages: tuple[Stage, ...]
    previous_name: str
    previous_stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineRetired:
    """No new deal starts here; those under way go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineReinstated:
    """New deals may start here again."""


# The names of these classes and of their fields are stored for ever: a rename is an upcast.
PipelineEvent = PipelineDefined | PipelineRedefined | PipelineRetired | PipelineReinstated
