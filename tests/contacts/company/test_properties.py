"""Whatever is asked of a company, in any order: the state is the fold, and a rule is all that says no."""

from collections.abc import Sequence

from contacts.company.commands import CompanyCommand, CorrectCompany, RegisterCompany, SetCompanyOwner
from contacts.company.decider import company_decider
from contacts.company.events import CompanyEvent
from hypothesis import given
from hypothesis import strategies as st
from kernel.domain.errors import Refused
from kernel.domain.money import Money

from tests.contacts.examples import GRACE, HUAXIA, LINUS, NORDWIND

words = st.sampled_from([None, "a", "b"])
numbers = st.sampled_from([None, 0, 1998])
profile = {
    "name": st.sampled_from(["Huaxia", "Nordwind"]),
    "registration_number": words,
    "external_ref": words,
    "industry": words,
    "country": words,
    "employees": numbers,
    "annual_revenue": st.none() | st.builds(Money, st.integers(0, 2), st.sampled_from(["CNY", "EUR"])),
    "founded": numbers,
    "source": words,
    "parent_company_id": st.sampled_from([None, HUAXIA, NORDWIND]),
}
ownership = {"owner_id": st.sampled_from([None, GRACE, LINUS]), "owner_team": words}
commands: st.SearchStrategy[CompanyCommand] = st.one_of(
    st.builds(RegisterCompany, **profile, **ownership),
    st.builds(CorrectCompany, **profile),
    st.builds(SetCompanyOwner, **ownership),
)


def decided(history: Sequence[CompanyEvent], command: CompanyCommand) -> Sequence[CompanyEvent]:
    try:
        return company_decider.decide(company_decider.fold(history), command)
    except Refused:
        return []


@given(st.lists(commands, max_size=12))
def test_the_state_is_the_fold_of_the_history(asked: list[CompanyCommand]) -> None:
    history: list[CompanyEvent] = []
    state = company_decider.initial
    for command in asked:
        facts = decided(history, command)
        history.extend(facts)
        for fact in facts:
            state = company_decider.evolve(state, fact)
    assert company_decider.fold(history) == state


@given(st.lists(commands, max_size=12))
def test_doing_it_twice_is_doing_it_once(asked: list[CompanyCommand]) -> None:
    history: list[CompanyEvent] = []
    for command in asked:
        history.extend(decided(history, command))
        assert decided(history, command) == []
