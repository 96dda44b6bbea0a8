"""What a company allows and what follows, as sentences."""

from dataclasses import replace

from contacts.company.commands import CorrectCompany, RegisterCompany, SetCompanyOwner
from contacts.company.decider import company_decider
from kernel.domain.errors import Conflict, NotFound
from kernel.domain.money import Money
from kernel.testing.specs import Spec

from tests.contacts.examples import (
    COMPANY_GIVEN_TO_LINUS,
    COMPANY_GREW,
    COMPANY_REGISTERED,
    GRACE,
    LINUS,
    NORDWIND,
)

company = Spec(company_decider)

REGISTER = RegisterCompany(
    name="Huaxia Bearings",
    registration_number="91310000MA1K4X",
    external_ref="erp-1007",
    industry="machinery",
    country="CN",
    employees=240,
    annual_revenue=Money(8_500_000_000, "CNY"),
    founded=1998,
    source="trade_fair",
    owner_id=GRACE,
    owner_team="east",
)
GROW = CorrectCompany(
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
)
GIVE_TO_LINUS = SetCompanyOwner(owner_id=LINUS, owner_team="north")


def test_a_company_is_registered_with_its_profile_and_owner() -> None:
    company.given().when(REGISTER).then(COMPANY_REGISTERED)


def test_a_company_is_registered_once() -> None:
    company.given(COMPANY_REGISTERED).when(REGISTER).then_refused(Conflict, "COMPANY_EXISTS")


def test_a_correction_tells_the_new_profile_and_the_old() -> None:
    company.given(COMPANY_REGISTERED).when(GROW).then(COMPANY_GREW)


def test_a_correction_that_changes_nothing_is_nothing() -> None:
    company.given(COMPANY_REGISTERED, COMPANY_GREW).when(GROW).then_nothing()


def test_a_second_correction_starts_from_the_first() -> None:
    company.given(COMPANY_REGISTERED).when(GROW, replace(GROW, name="Huaxia Group")).then(
        replace(
            COMPANY_GREW,
            name="Huaxia Group",
            previous_employees=310,
            previous_annual_revenue=Money(9_900_000_000, "CNY"),
            previous_parent_company_id=NORDWIND,
        )
    )


def test_a_company_changes_hands() -> None:
    company.given(COMPANY_REGISTERED).when(GIVE_TO_LINUS).then(COMPANY_GIVEN_TO_LINUS)


def test_a_company_keeps_its_owner_in_silence() -> None:
    company.given(COMPANY_REGISTERED, COMPANY_GIVEN_TO_LINUS).when(GIVE_TO_LINUS).then_nothing()


def test_a_correction_leaves_the_owner_alone() -> None:
    company.given(COMPANY_REGISTERED, COMPANY_GIVEN_TO_LINUS, COMPANY_GREW).when(GIVE_TO_LINUS).then_nothing()


def test_what_was_never_registered_cannot_be_corrected_or_given_away() -> None:
    for command in (GROW, GIVE_TO_LINUS):
        company.given().when(command).then_refused(NotFound, "NOT_FOUND")
