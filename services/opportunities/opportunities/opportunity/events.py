"""What happened to a deal. Amounts are minor units of the deal's one currency."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from kernel.domain.personal import Personal


@dataclass(frozen=True, slots=True, kw_only=True)
class OpportunityCreated:
    """`person_id` is the contact person; a title often says a name, so it is theirs to have erased."""

    pipeline_id: UUID
    customer_id: UUID | None
    person_id: UUID | None
    title: Personal[str]
    source: str | None
    product: str | None
    owner_id: UUID | None
    owner_team: str | None
    amount_minor: int | None
    currency: str
    expected_close: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageEntered:
    """`entry` numbers the deal's entries from 1; `stage_order` is the stage's place in that version."""

    entry: int
    pipeline_id: UUID
    pipeline_version: int
    stage_id: str
    stage_order: int
    previous_stage_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageEntryVoided:
    """A wrong click taken back: the entry never counted. Moving back is a `StageEntered`."""

    entry: int
    stage_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AmountChanged:
    amount_minor: int | None
    currency: str
    previous_amount_minor: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedCloseChanged:
    expected_close: date | None
    previous_expected_close: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpportunityReassigned:
    owner_id: UUID | None
    owner_team: str | None
    previous_owner_id: UUID | None
    previous_owner_team: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpportunityWon:
    attempt: int
    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpportunityLost:
    """`person_id` is the deal's contact person, whom the note may be about."""

    attempt: int
    reason: str
    amount_minor: int | None
    currency: str
    person_id: UUID | None
    note: Personal[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpportunityReopened:
    """`attempt` is the one that begins."""

    attempt: int


# The names of these classes and of their fields are stored for ever: a rename is an upcast.
OpportunityEvent = (
    OpportunityCreated
    | StageEntered
    | StageEntryVoided
    | AmountChanged
    | ExpectedCloseChanged
    | OpportunityReassigned
    | OpportunityWon
    | OpportunityLost
    | OpportunityReopened
)
