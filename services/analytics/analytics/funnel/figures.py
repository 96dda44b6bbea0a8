"""What the funnel's answers consist of, before they are put in the words of the API."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from analytics.funnel.cells import Dimension
from analytics.semantics import Period


@dataclass(frozen=True, slots=True)
class Basis:
    """What a figure means. `stages` is "as entered" or "as defined" by the version that the terms name."""

    view: str
    mode: str | None
    attribution: str
    window: timedelta | None
    zone: str | None
    stages: str
    breakdown: Dimension
    period: Period | None


@dataclass(frozen=True, slots=True)
class Step:
    """`from_entry` = n / mature; `from_milestone` is the conversion since the milestone before (N13, O5)."""

    stage_id: str
    name: str
    n: int
    from_previous: float | None
    from_entry: float | None
    from_milestone: float | None
    benchmark: float | None


@dataclass(frozen=True, slots=True)
class FunnelRow:
    """`win_rate` = won now / mature: the cohort's, not that of the deals closed in the period."""

    value: str
    entered: int
    mature: int
    won: int
    lost: int
    win_rate: float | None
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Funnel:
    basis: Basis
    rows: tuple[FunnelRow, ...]


@dataclass(frozen=True, slots=True)
class SnapshotStage:
    """`minor` is per currency, in minor units; a deal without an amount counts and adds nothing."""

    stage_id: str
    name: str | None
    n: int
    minor: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class SnapshotRow:
    value: str
    stages: tuple[SnapshotStage, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    basis: Basis
    rows: tuple[SnapshotRow, ...]


@dataclass(frozen=True, slots=True)
class ClosedRow:
    """`win_rate` = won / (won + lost) of the deals whose closing lies in the period."""

    value: str
    won: int
    lost: int
    win_rate: float | None
    won_minor: Mapping[str, int]
    lost_minor: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Closed:
    basis: Basis
    rows: tuple[ClosedRow, ...]
