"""What a contact allows and what follows, as sentences."""

from dataclasses import replace

from contacts.contact.commands import (
    CorrectContact,
    ErasePerson,
    LinkContact,
    RegisterContact,
    SetContactOwner,
)
from contacts.contact.decider import contact_decider
from kernel.domain.errors import Conflict, NotFound
from kernel.testing.specs import Spec

from tests.contacts.examples import (
    CONTACT_GIVEN_TO_LINUS,
    CONTACT_MOVED,
    CONTACT_PROMOTED,
    CONTACT_REGISTERED,
    ERASED,
    GRACE,
    HUAXIA,
    LINUS,
    NORDWIND,
    PHONE_CORRECTED,
)

contact = Spec(contact_decider)

REGISTER = RegisterContact(
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
PROMOTE = CorrectContact(
    name="Li Na",
    email="li.na@huaxia.example",
    phone="+86 21 5550 9999",
    address="88 Century Avenue, Shanghai",
    note="Prefers mornings.",
    position="managing_director",
    decision_role="decider",
    preferred_channel="phone",
    source="referral",
)
MOVE = LinkContact(company_id=NORDWIND)
GIVE_TO_LINUS = SetContactOwner(owner_id=LINUS, owner_team="north")
ERASE = ErasePerson(reason="requested")


def test_a_contact_is_registered_with_profile_company_and_owner() -> None:
    contact.given().when(REGISTER).then(CONTACT_REGISTERED)


def test_a_contact_is_registered_once() -> None:
    contact.given(CONTACT_REGISTERED).when(REGISTER).then_refused(Conflict, "CONTACT_EXISTS")


def test_a_correction_tells_the_new_profile_and_the_old() -> None:
    contact.given(CONTACT_REGISTERED).when(PROMOTE).then(CONTACT_PROMOTED)


def test_a_correction_of_personal_fields_alone_is_one_too() -> None:
    contact.given(CONTACT_REGISTERED).when(replace(PROMOTE, position="head_of_purchasing")).then(
        PHONE_CORRECTED
    )


def test_a_correction_that_changes_nothing_is_nothing() -> None:
    contact.given(CONTACT_REGISTERED, CONTACT_PROMOTED).when(PROMOTE).then_nothing()


def test_a_contact_moves_to_another_company() -> None:
    contact.given(CONTACT_REGISTERED).when(MOVE).then(CONTACT_MOVED)


def test_a_contact_moves_once() -> None:
    contact.given(CONTACT_REGISTERED, CONTACT_MOVED).when(MOVE).then_nothing()


def test_a_contact_may_leave_its_company() -> None:
    left = replace(CONTACT_MOVED, company_id=None)
    contact.given(CONTACT_REGISTERED).when(LinkContact(company_id=None)).then(left)


def test_a_contact_changes_hands() -> None:
    contact.given(CONTACT_REGISTERED).when(GIVE_TO_LINUS).then(CONTACT_GIVEN_TO_LINUS)


def test_a_contact_keeps_its_owner_in_silence() -> None:
    contact.given(CONTACT_REGISTERED, CONTACT_GIVEN_TO_LINUS).when(GIVE_TO_LINUS).then_nothing()


def test_a_person_is_erased() -> None:
    contact.given(CONTACT_REGISTERED).when(ERASE).then(ERASED)


def test_erasing_twice_is_nothing() -> None:
    contact.given(CONTACT_REGISTERED, ERASED).when(ErasePerson(reason="retention")).then_nothing()


def test_nothing_personal_is_written_about_an_erased_person() -> None:
    for command in (REGISTER, PROMOTE):
        contact.given(CONTACT_REGISTERED, ERASED).when(command).then_refused(Conflict, "PERSON_ERASED")


def test_an_erased_person_still_has_a_company_and_an_owner() -> None:
    contact.given(CONTACT_REGISTERED, ERASED).when(MOVE).then(CONTACT_MOVED)
    contact.given(CONTACT_REGISTERED, ERASED).when(GIVE_TO_LINUS).then(CONTACT_GIVEN_TO_LINUS)


def test_what_was_never_registered_is_not_found() -> None:
    for command in (PROMOTE, MOVE, GIVE_TO_LINUS, ERASE):
        contact.given().when(command).then_refused(NotFound, "NOT_FOUND")
