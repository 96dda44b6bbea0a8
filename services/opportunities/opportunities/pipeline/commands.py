"""What can be asked of a pipeline."""

from dataclasses import dataclass

from opportunities.pipeline.events import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinePipeline:
    name: str
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RedefinePipeline:
    """The stages from now on, in order and all of them; no name leaves the name as it is."""

    name: str | None = None
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetirePipeline:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ReinstatePipeline:
    pass


PipelineCommand = DefinePipeline | RedefinePipeline | RetirePipeline | ReinstatePipeline
