"""Named people, companies and facts of the contacts service's tests."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

from contacts.company.events import CompanyCorrected, CompanyOwnerSet, CompanyRegistered
from contacts.contact.events import (
    ContactCorrected,
    ContactLinked,
    ContactOwnerSet,
    ContactRegistered,
    PersonErased,
)
from kernel.domain.money import Money
from kernel.domain.provenance import Provenance
from kernel.domain.recorded import Recorded

Fact = TypeVar("Fact")

HUAXIA = UUID("01920000-0000-7000-8000-00000000c001")
NORDWIND = UUID("01920000-0000-7000-8000-00000000c002")
LI_NA = UUID("01920000-0000-7000-8000-00000000a001")
GRACE = UUID("01920000-0000-7000-8000-00000000e001")
LINUS = UUID("01920000-0000-7000-8000-00000000e002")

COMPANY_REGISTERED = CompanyRegistered(
    name="Huaxia Bearings",
    registration_number="91310000MA1K4X",
    external_ref="erp-1007",
    industry="machinery",
    country="CN",
    employees=240,
    annual_revenue=Money(8_500_000_000, "CNY"),
    founded=1998,
    source="trade_fair",
    parent_company_id=None,
    owner_id=GRACE,
    owner_team="east",
)
COMPANY_GREW = CompanyCorrected(
    name="Huaxia Bearings",
    registration_number="91310000MA1K4X",
    external_ref="erp-1007",
    industry="machinery",
    country="CN",
    employees=310,
    annual_revenue=Money(9_900_000_000, "CNY"),
    founded=1998,
    source="trade_fair",
    parent_company_id=NORDWIND,
    previous_name="Huaxia Bearings",
    previous_registration_number="91310000MA1K4X",
    previous_external_ref="erp-1007",
    previous_industry="machinery",
    previous_country="CN",
    previous_employees=240,
    previous_annual_revenue=Money(8_500_000_000, "CNY"),
    previous_founded=1998,
    previous_source="trade_fair",
    previous_parent_company_id=None,
)
COMPANY_GIVEN_TO_LINUS = CompanyOwnerSet(
    owner_id=LINUS, owner_team="north", previous_owner_id=GRACE, previous_owner_team="east"
)

CONTACT_REGISTERED = ContactRegistered(
    name="Li Na",
    email="li.na@huaxia.example",
    phone="+86 21 5550 1234",
    address="88 Century Avenue, Shanghai",
    note="Prefers mornings.",
    position="head_of_purchasing",
    decision_role="decider",
    preferred_channel="phone",
    source="referral",
    company_id=HUAXIA,
    owner_id=GRACE,
    owner_team="east",
)
CONTACT_PROMOTED = ContactCorrected(
    name="Li Na",
    email="li.na@huaxia.example",
    phone="+86 21 5550 9999",
    address="88 Century Avenue, Shanghai",
    note="Prefers mornings.",
    position="managing_director",
    decision_role="decider",
    preferred_channel="phone",
    source="referral",
    previous_name="Li Na",
    previous_email="li.na@huaxia.example",
    previous_phone="+86 21 5550 1234",
    previous_address="88 Century Avenue, Shanghai",
    previous_note="Prefers mornings.",
    previous_position="head_of_purchasing",
    previous_decision_role="decider",
    previous_preferred_channel="phone",
    previous_source="referral",
)
PHONE_CORRECTED = replace(CONTACT_PROMOTED, position="head_of_purchasing")
CONTACT_MOVED = ContactLinked(company_id=NORDWIND, previous_company_id=HUAXIA)
CONTACT_GIVEN_TO_LINUS = ContactOwnerSet(
    owner_id=LINUS, owner_team="north", previous_owner_id=GRACE, previous_owner_team="east"
)
ERASED = PersonErased(reason="requested")


def recorded(fact: Fact, stream_id: UUID) -> Recorded[Fact]:
    noon = datetime(2025, 3, 3, 12, tzinfo=UTC)
    why = Provenance(actor=str(GRACE), command_id=GRACE, correlation_id="test")
    return Recorded(fact, stream_id, 1, 1, GRACE, noon, noon, why)
