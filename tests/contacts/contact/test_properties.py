"""Whatever is asked of a contact, in any order: the state is the fold, with the person's key and without."""

from collections.abc import Sequence
from dataclasses import replace

from contacts.contact.commands import (
    ContactCommand,
    CorrectContact,
    ErasePerson,
    LinkContact,
    RegisterContact,
    SetContactOwner,
)
from contacts.contact.decider import contact_decider
from contacts.contact.events import ContactCorrected, ContactEvent, ContactRegistered
from hypothesis import given
from hypothesis import strategies as st
from kernel.domain.errors import Refused

from tests.contacts.examples import ERASED, GRACE, HUAXIA, LINUS, NORDWIND

words = st.sampled_from([None, "a", "b"])
companies = st.sampled_from([None, HUAXIA, NORDWIND])
names = "name email phone address note position decision_role preferred_channel source".split()
profile = dict.fromkeys(names, words)
ownership = {"owner_id": st.sampled_from([None, GRACE, LINUS]), "owner_team": words}
commands: st.SearchStrategy[ContactCommand] = st.one_of(
    st.builds(RegisterContact, **profile, **ownership, company_id=companies),
    st.builds(CorrectContact, **profile),
    st.builds(LinkContact, company_id=companies),
    st.builds(SetContactOwner, **ownership),
    st.builds(ErasePerson, reason=st.sampled_from(["requested", "retention"])),
)


def decided(history: Sequence[ContactEvent], command: ContactCommand) -> Sequence[ContactEvent]:
    try:
        return contact_decider.decide(contact_decider.fold(history), command)
    except Refused:
        return []


def without_key(fact: ContactEvent) -> ContactEvent:
    """The fact as it is read once the key is destroyed."""
    match fact:
        case ContactRegistered():
            return replace(fact, name=None, email=None, phone=None, address=None, note=None)
        case ContactCorrected():
            now = replace(fact, name=None, email=None, phone=None, address=None, note=None)
            return replace(
                now,
                previous_name=None,
                previous_email=None,
                previous_phone=None,
                previous_address=None,
                previous_note=None,
            )
        case _:
            return fact


@given(st.lists(commands, max_size=12))
def test_the_state_is_the_fold_of_the_history(asked: list[ContactCommand]) -> None:
    history: list[ContactEvent] = []
    state = contact_decider.initial
    for command in asked:
        facts = decided(history, command)
        history.extend(facts)
        for fact in facts:
            state = contact_decider.evolve(state, fact)
    assert contact_decider.fold(history) == state


@given(st.lists(commands, max_size=12))
def test_doing_it_twice_is_doing_it_once(asked: list[ContactCommand]) -> None:
    history: list[ContactEvent] = []
    for command in asked:
        history.extend(decided(history, command))
        assert decided(history, command) == []


@given(st.lists(commands, max_size=12))
def test_an_erased_person_folds_the_same_with_and_without_the_key(asked: list[ContactCommand]) -> None:
    history: list[ContactEvent] = []
    for command in asked:
        history.extend(decided(history, command))
    history.append(ERASED)
    assert contact_decider.fold(history) == contact_decider.fold(map(without_key, history))
