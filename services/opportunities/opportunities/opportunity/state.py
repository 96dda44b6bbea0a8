"""What the rules know of a deal, and how each fact changes it."""

from dataclasses import dataclass, replace
from datetime import date
from enum import Enum, auto
from typing import assert_never
from uuid import UUID

from kernel.domain.errors import Conflict, NotFound

from opportunities.opportunity.events import (
    AmountChanged,
    ExpectedCloseChanged,
    OpportunityCreated,
    OpportunityEvent,
    OpportunityLost,
    OpportunityReassigned,
    OpportunityReopened,
    OpportunityWon,
    StageEntered,
    StageEntryVoided,
)

NO_PIPELINE = UUID(int=0)


class Status(Enum):
    MISSING = auto()
    OPEN = auto()
    WON = auto()
    LOST = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Opportunity:
    """`entries` maps the entries that count to their stages, oldest first; voided ones are gone from it."""

    status: Status = Status.MISSING
    attempt: int = 0
    pipeline_id: UUID = NO_PIPELINE
    person_id: UUID | None = None
    entries: tuple[tuple[int, str], ...] = ()
    last_entry: int = 0
    amount_minor: int | None = None
    currency: str = ""
    expected_close: date | None = None
    owner_id: UUID | None = None
    owner_team: str | None = None
    lost_reason: str | None = None

    @property
    def stage_id(self) -> str | None:
        return self.entries[-1][1] if self.entries else None


def evolve(deal: Opportunity, event: OpportunityEvent) -> Opportunity:
    match event:
        case OpportunityCreated():
            return Opportunity(
                status=Status.OPEN,
                attempt=1,
                pipeline_id=event.pipeline_id,
                person_id=event.person_id,
                amount_minor=event.amount_minor,
                currency=event.currency,
                expected_close=event.expected_close,
                owner_id=event.owner_id,
                owner_team=event.owner_team,
            )
        case StageEntered():
            entries = (*deal.entries, (event.entry, event.stage_id))
            return replace(deal, entries=entries, last_entry=event.entry)
        case StageEntryVoided():
            return replace(deal, entries=tuple(entry for entry in deal.entries if entry[0] != event.entry))
        case AmountChanged():
            return replace(deal, amount_minor=event.amount_minor)
        case ExpectedCloseChanged():
            return replace(deal, expected_close=event.expected_close)
        case OpportunityReassigned():
            return replace(deal, owner_id=event.owner_id, owner_team=event.owner_team)
        case OpportunityWon():
            return replace(deal, status=Status.WON)
        case OpportunityLost():
            return replace(deal, status=Status.LOST, lost_reason=event.reason)
        case OpportunityReopened():
            return replace(deal, status=Status.OPEN, attempt=event.attempt, lost_reason=None)
        case _:
            assert_never(event)


def deal_must_exist(deal: Opportunity) -> None:
    if deal.status is Status.MISSING:
        # In the words of a deal that the caller may not see: a refusal must not tell the two apart.
        raise NotFound("There is no such record.")


def deal_must_be_open(deal: Opportunity) -> None:
    if deal.status is not Status.OPEN:
        raise Conflict(
            "This deal is closed; reopen it first.",
            code="OPPORTUNITY_CLOSED",
            deal_status=deal.status.name.lower(),
        )
