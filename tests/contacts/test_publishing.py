"""What the contacts service tells of each fact, and what it keeps to itself."""

from dataclasses import replace

from contacts.contact.events import ContactEvent
from contacts.publishing import publish
from contracts import contacts as public

from tests.contacts.examples import (
    COMPANY_GIVEN_TO_LINUS,
    COMPANY_GREW,
    COMPANY_REGISTERED,
    CONTACT_GIVEN_TO_LINUS,
    CONTACT_MOVED,
    CONTACT_PROMOTED,
    CONTACT_REGISTERED,
    ERASED,
    GRACE,
    HUAXIA,
    LI_NA,
    LINUS,
    NORDWIND,
    PHONE_CORRECTED,
    recorded,
)


def test_a_registered_company_is_told_with_its_figures_and_owner() -> None:
    assert publish(recorded(COMPANY_REGISTERED, HUAXIA)) == public.CompanyRegistered(
        company_id=HUAXIA,
        industry="machinery",
        country="CN",
        employees=240,
        source="trade_fair",
        owner_id=GRACE,
        owner_team="east",
    )


def test_a_corrected_company_is_told_as_it_is_now() -> None:
    assert publish(recorded(COMPANY_GREW, HUAXIA)) == public.CompanyCorrected(
        company_id=HUAXIA, industry="machinery", country="CN", employees=310, source="trade_fair"
    )


def test_a_company_that_changed_hands_is_told_with_both_owners() -> None:
    assert publish(recorded(COMPANY_GIVEN_TO_LINUS, HUAXIA)) == public.CompanyOwnerSet(
        company_id=HUAXIA,
        owner_id=LINUS,
        owner_team="north",
        previous_owner_id=GRACE,
        previous_owner_team="east",
    )


def test_a_registered_contact_is_told_by_ids_alone() -> None:
    assert publish(recorded(CONTACT_REGISTERED, LI_NA)) == public.ContactRegistered(
        contact_id=LI_NA, company_id=HUAXIA, source="referral", owner_id=GRACE, owner_team="east"
    )


def test_a_corrected_contact_is_told_without_a_word_of_it() -> None:
    told = public.ContactCorrected(contact_id=LI_NA, source="referral")
    assert publish(recorded(PHONE_CORRECTED, LI_NA)) == told
    assert publish(recorded(CONTACT_PROMOTED, LI_NA)) == told


def test_a_contact_that_moved_is_told_with_both_companies() -> None:
    assert publish(recorded(CONTACT_MOVED, LI_NA)) == public.ContactLinked(
        contact_id=LI_NA, company_id=NORDWIND, previous_company_id=HUAXIA
    )


def test_a_contact_that_changed_hands_is_told_with_both_owners() -> None:
    assert publish(recorded(CONTACT_GIVEN_TO_LINUS, LI_NA)) == public.ContactOwnerSet(
        contact_id=LI_NA,
        owner_id=LINUS,
        owner_team="north",
        previous_owner_id=GRACE,
        previous_owner_team="east",
    )


def test_an_erased_person_is_told_so_that_others_forget_too() -> None:
    assert publish(recorded(ERASED, LI_NA)) == public.PersonErased(person_id=LI_NA)


def test_a_published_fact_does_not_depend_on_the_persons_key() -> None:
    sealed: ContactEvent = replace(
        CONTACT_REGISTERED, name=None, email=None, phone=None, address=None, note=None
    )
    assert publish(recorded(sealed, LI_NA)) == publish(recorded(CONTACT_REGISTERED, LI_NA))
