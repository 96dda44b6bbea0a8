"""A pipeline as analytics knows it: the stages of every version that was ever told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID
from zoneinfo import ZoneInfo

from contracts.opportunities import PipelineDefined, Stage

from analytics.semantics import Cells, Record


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Versions from 1; version 0 stands for a pipeline that deals name and nobody has told of yet."""

    name: str = ""
    versions: Mapping[int, tuple[Stage, ...]] = field(default_factory=dict)

    @property
    def current(self) -> int:
        return max(self.versions, default=0)

    @property
    def stages(self) -> tuple[Stage, ...]:
        return self.versions.get(self.current, ())

    @property
    def history(self) -> Sequence[tuple[Stage, ...]]:
        return [self.versions[number] for number in sorted(self.versions)]


BLANK = Pipeline()


def key(fact: PipelineDefined) -> UUID:
    return fact.pipeline_id


def project(pipeline: Pipeline, record: Record[PipelineDefined]) -> Pipeline:
    fact = record.fact
    versions = {**pipeline.versions, fact.pipeline_version: tuple(fact.stages)}
    newest = fact.pipeline_version >= pipeline.current
    return replace(pipeline, name=fact.name if newest else pipeline.name, versions=versions)


def contribute(_: Pipeline, __: ZoneInfo) -> Cells:
    """Stages are looked up, not counted."""
    return {}
