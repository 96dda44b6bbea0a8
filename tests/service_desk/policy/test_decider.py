"""What the reply policy allows and what follows, as sentences and for any sequence of definitions."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel.domain.errors import Invalid, Refused
from kernel.testing.specs import Spec
from service_desk.policy.commands import DefineReplyPolicy
from service_desk.policy.decider import MOST_HOURS, reply_policy_decider
from service_desk.policy.events import ReplyPolicyDefined, ReplyPolicyEvent

from tests.service_desk.examples import URGENT_IN_FOUR_HOURS

policy = Spec(reply_policy_decider)
hours = st.integers(-1, MOST_HOURS + 1)
definitions = st.builds(
    DefineReplyPolicy,
    default_hours=hours,
    hours=st.dictionaries(st.sampled_from(["urgent", "low"]), hours),
)


def test_the_shipped_policy_gives_a_day_to_everything() -> None:
    shipped = reply_policy_decider.initial
    assert shipped.version == 0
    assert shipped.time_to_reply("normal") == timedelta(hours=24)
    assert shipped.time_to_reply("urgent") == timedelta(hours=24)


def test_a_priority_without_hours_of_its_own_takes_the_default() -> None:
    defined = reply_policy_decider.fold([URGENT_IN_FOUR_HOURS])
    assert defined.time_to_reply("urgent") == timedelta(hours=4)
    assert defined.time_to_reply("low") == timedelta(hours=24)


def test_the_first_definition_is_version_one() -> None:
    policy.given().when(DefineReplyPolicy(default_hours=24, hours={"urgent": 4})).then(URGENT_IN_FOUR_HOURS)


def test_each_definition_raises_the_version_and_keeps_the_old_values() -> None:
    policy.given(URGENT_IN_FOUR_HOURS).when(DefineReplyPolicy(default_hours=8, hours={"low": 48})).then(
        ReplyPolicyDefined(
            version=2,
            default_hours=8,
            hours={"low": 48},
            previous_default_hours=24,
            previous_hours={"urgent": 4},
        )
    )


def test_the_same_values_again_are_nothing() -> None:
    policy.given(URGENT_IN_FOUR_HOURS).when(
        DefineReplyPolicy(default_hours=24, hours={"urgent": 4})
    ).then_nothing()


def test_defining_what_is_shipped_is_nothing() -> None:
    policy.given().when(DefineReplyPolicy(default_hours=24, hours={})).then_nothing()


@pytest.mark.parametrize("impossible", [-1, 0, MOST_HOURS + 1])
def test_impossible_hours_are_refused(impossible: int) -> None:
    policy.given().when(DefineReplyPolicy(default_hours=impossible, hours={})).then_refused(
        Invalid, "REPLY_HOURS_INVALID"
    )
    policy.given().when(DefineReplyPolicy(default_hours=24, hours={"urgent": impossible})).then_refused(
        Invalid, "REPLY_HOURS_INVALID"
    )


@given(st.lists(definitions, max_size=8))
def test_any_definitions_leave_the_fold_and_number_themselves(asked: list[DefineReplyPolicy]) -> None:
    history: list[ReplyPolicyEvent] = []
    state = reply_policy_decider.initial
    for command in asked:
        try:
            facts = reply_policy_decider.decide(state, command)
        except Refused:
            continue
        history.extend(facts)
        for fact in facts:
            state = reply_policy_decider.evolve(state, fact)
        assert list(reply_policy_decider.decide(state, command)) == []
    assert reply_policy_decider.fold(history) == state
    assert [fact.version for fact in history] == list(range(1, len(history) + 1))
