"""What can be asked of a deal."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from kernel.domain.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateOpportunity:
    """Without a stage the deal begins in the pipeline's first; every later amount is in its currency."""

    pipeline_id: UUID
    stage_id: str | None = None
    customer_id: UUID | None = None
    person_id: UUID | None = None
    title: str
    source: str | None = None
    product: str | None = None
    owner_id: UUID | None = None
    owner_team: str | None = None
    amount: Money | None = None
    currency: str
    expected_close: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnterStage:
    """Forward, skipping or back: a process is a standard, not a cage."""

    stage_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidStageEntry:
    entry: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeAmount:
    amount: Money | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeExpectedClose:
    expected_close: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReassignOpportunity:
    owner_id: UUID | None
    owner_team: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WinOpportunity:
    """Without an amount the deal is won for the amount it has."""

    amount: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoseOpportunity:
    """`reason` is a slug of the company's own list, counted in reports; the note is for people."""

    reason: str
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReopenOpportunity:
    pass


OpportunityCommand = (
    CreateOpportunity
    | EnterStage
    | VoidStageEntry
    | ChangeAmount
    | ChangeExpectedClose
    | ReassignOpportunity
    | WinOpportunity
    | LoseOpportunity
    | ReopenOpportunity
)
