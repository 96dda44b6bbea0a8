"""What clients ask of a deal: one body per command."""

from datetime import date
from uuid import UUID

from kernel.domain.money import Money
from kernel.web.commands import CommandBody, CreationBody
from kernel.web.fields import Count, Currency, MoneyField, Name
from pydantic import Field

from opportunities.fields import Label, Note, Slug
from opportunities.opportunity.commands import (
    ChangeAmount,
    ChangeExpectedClose,
    CreateOpportunity,
    EnterStage,
    LoseOpportunity,
    ReassignOpportunity,
    ReopenOpportunity,
    VoidStageEntry,
    WinOpportunity,
)
from opportunities.pipeline.templates import SEVEN_STAGES

_PERSON = UUID("01900000-0000-7000-8000-000000000020")
_MONEY = {"amount": "12000.00", "currency": "CNY"}


class Creation(CreationBody):
    pipeline_id: UUID = Field(examples=[SEVEN_STAGES.pipeline_id])
    stage_id: Slug | None = Field(
        None, description="where it begins; left out: in the first stage", examples=["prospecting"]
    )
    customer_id: UUID | None = Field(None, description="the company or the person who buys")
    person_id: UUID | None = Field(
        None, description="the contact person: erasing them erases the title and the notes"
    )
    title: Name = Field(examples=["Twelve pumps for Chang'an 长安机械 水泵"])
    source: Label | None = Field(None, description="the channel it came by", examples=["fair"])
    product: Label | None = Field(None, examples=["pump"])
    owner_id: UUID | None = Field(None, description="left out: unassigned, seen by all of sales")
    owner_team: Label | None = Field(None, examples=["north"])
    amount: MoneyField | None = Field(None, examples=[_MONEY])
    currency: Currency = Field(description="of every amount of this deal, for ever", examples=["CNY"])
    expected_close: date | None = Field(None, examples=["2026-06-30"])

    def command(self) -> CreateOpportunity:
        return CreateOpportunity(
            pipeline_id=self.pipeline_id,
            stage_id=self.stage_id,
            customer_id=self.customer_id,
            person_id=self.person_id,
            title=self.title,
            source=self.source,
            product=self.product,
            owner_id=self.owner_id,
            owner_team=self.owner_team,
            amount=money(self.amount),
            currency=self.currency,
            expected_close=self.expected_close,
        )


class StageEntry(CommandBody):
    stage_id: Slug = Field(examples=["first-contact"])

    def command(self) -> EnterStage:
        return EnterStage(stage_id=self.stage_id)


class EntryVoiding(CommandBody):
    entry: Count = Field(description="the entry's number, as the deal shows it", examples=[2])

    def command(self) -> VoidStageEntry:
        return VoidStageEntry(entry=self.entry)


class NewAmount(CommandBody):
    amount: MoneyField | None = Field(description="null: not known any more", examples=[_MONEY])

    def command(self) -> ChangeAmount:
        return ChangeAmount(amount=money(self.amount))


class NewExpectedClose(CommandBody):
    expected_close: date | None = Field(description="null: not known any more", examples=["2026-09-30"])

    def command(self) -> ChangeExpectedClose:
        return ChangeExpectedClose(expected_close=self.expected_close)


class Reassignment(CommandBody):
    owner_id: UUID | None = Field(description="null: unassigned", examples=[_PERSON])
    owner_team: Label | None = Field(examples=["north"])

    def command(self) -> ReassignOpportunity:
        return ReassignOpportunity(owner_id=self.owner_id, owner_team=self.owner_team)


class Win(CommandBody):
    amount: MoneyField | None = Field(
        None, description="left out: for the amount the deal has", examples=[_MONEY]
    )

    def command(self) -> WinOpportunity:
        return WinOpportunity(amount=money(self.amount))


class Loss(CommandBody):
    reason: Slug = Field(description="from the company's own list; counted in reports", examples=["price"])
    note: Note | None = Field(
        None, description="for people; erased with the contact person", examples=["A rival was cheaper."]
    )

    def command(self) -> LoseOpportunity:
        return LoseOpportunity(reason=self.reason, note=self.note)


class Reopening(CommandBody):
    def command(self) -> ReopenOpportunity:
        return ReopenOpportunity()


def money(said: MoneyField | None) -> Money | None:
    return said.money() if said else None
