"""What clients are shown of a deal: the record, made from its facts, and the line in a list."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, cast
from uuid import UUID

from kernel.domain.recorded import Recorded
from kernel.storage.aggregate import Handled
from kernel.storage.views import Row
from kernel.web.fields import MoneyField
from pydantic import BaseModel

from opportunities.fields import shown
from opportunities.opportunity.events import (
    OpportunityCreated,
    OpportunityEvent,
    OpportunityLost,
    OpportunityReopened,
    OpportunityWon,
    StageEntered,
)
from opportunities.opportunity.state import Opportunity
from opportunities.opportunity.views.pipeline import NO_DAY

Facts = Sequence[Recorded[OpportunityEvent]]


class StageEntryOut(BaseModel):
    """`stage_order` is the stage's place, from 0, in that version of the pipeline; a voided entry never counted."""

    entry: int
    stage_id: str
    stage_order: int
    pipeline_version: int
    entered_at: datetime
    voided: bool


class OutcomeOut(BaseModel):
    """`status` is won or lost; `reason` and `note` belong to a loss."""

    status: str
    attempt: int
    at: datetime
    amount: MoneyField | None
    reason: str | None = None
    note: str | None = None


class OpportunityOut(BaseModel):
    """`title` and `outcome.note` are null once the contact person is erased; `attempt` is 1 + the reopenings."""

    id: UUID
    version: int
    title: str | None
    status: str
    attempt: int
    pipeline_id: UUID
    stage_id: str | None
    stage_entries: list[StageEntryOut]
    outcome: OutcomeOut | None
    customer_id: UUID | None
    person_id: UUID | None
    source: str | None
    product: str | None
    amount: MoneyField | None
    currency: str
    expected_close: date | None
    owner_id: UUID | None
    owner_team: str | None
    created_at: datetime

    @classmethod
    def of(cls, handled: Handled[Opportunity, OpportunityEvent]) -> "OpportunityOut":
        state = handled.state
        first = handled.facts[0]
        created = cast(OpportunityCreated, first.fact)  # nothing else begins a deal
        return cls(
            id=handled.stream_id,
            version=handled.version,
            title=created.title,
            status=state.status.name.lower(),
            attempt=state.attempt,
            pipeline_id=state.pipeline_id,
            stage_id=state.stage_id,
            stage_entries=stage_entries(handled.facts, {number for number, _ in state.entries}),
            outcome=outcome(handled.facts),
            customer_id=created.customer_id,
            person_id=created.person_id,
            source=created.source,
            product=created.product,
            amount=shown(state.amount_minor, state.currency),
            currency=state.currency,
            expected_close=state.expected_close,
            owner_id=state.owner_id,
            owner_team=state.owner_team,
            created_at=first.occurred_at,
        )


def stage_entries(facts: Facts, counting: set[int]) -> list[StageEntryOut]:
    return [
        StageEntryOut(
            entry=fact.entry,
            stage_id=fact.stage_id,
            stage_order=fact.stage_order,
            pipeline_version=fact.pipeline_version,
            entered_at=recorded.occurred_at,
            voided=fact.entry not in counting,
        )
        for recorded in facts
        if isinstance(fact := recorded.fact, StageEntered)
    ]


def outcome(facts: Facts) -> OutcomeOut | None:
    """How the present attempt ended, if it has."""
    for recorded in reversed(facts):
        match recorded.fact:
            case OpportunityWon() as fact:
                amount = shown(fact.amount_minor, fact.currency)
                return OutcomeOut(status="won", attempt=fact.attempt, at=recorded.occurred_at, amount=amount)
            case OpportunityLost() as fact:
                return OutcomeOut(
                    status="lost",
                    attempt=fact.attempt,
                    at=recorded.occurred_at,
                    amount=shown(fact.amount_minor, fact.currency),
                    reason=fact.reason,
                    note=fact.note,
                )
            case OpportunityReopened():
                return None
    return None


class OpportunityItem(BaseModel):
    """`title` is null once the contact person is erased."""

    id: UUID
    etag: str
    title: str | None
    status: str
    pipeline_id: UUID
    stage_id: str | None
    stage_order: int | None
    pipeline_version: int | None
    stage_entered_at: datetime | None
    customer_id: UUID | None
    person_id: UUID | None
    source: str | None
    product: str | None
    amount: MoneyField | None
    currency: str
    expected_close: date | None
    owner_id: UUID | None
    owner_team: str | None
    created_at: datetime
    updated_at: datetime


def listed(row: Row) -> Mapping[str, Any]:
    """What an item says in other words than its row."""
    expected = row["expected_close"]
    return {
        "amount": shown(row["amount_minor"], row["currency"]),
        "expected_close": None if expected == NO_DAY else expected,
    }
