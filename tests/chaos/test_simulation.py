"""A slice of `make simulate`: histories in which no promise is broken, and planted bugs that break one."""

from collections.abc import Iterator

import pytest

from tests.chaos.simulation import ids
from tests.chaos.simulation.__main__ import hunt
from tests.chaos.simulation.controls import CONTROLS, Control
from tests.chaos.simulation.plan import FAULTS, plan
from tests.chaos.simulation.run import run
from tests.chaos.simulation.shrink import shrink

HISTORIES = 200


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with ids.quiet():
        yield


def test_whatever_goes_wrong_no_promise_is_broken() -> None:
    broken = {seed: found for seed in range(HISTORIES) if (found := run(plan(seed)).violations)}
    assert not broken, f"make simulate SEED={next(iter(broken))}: {broken}"


def test_everything_that_can_go_wrong_does() -> None:
    injected = sum((run(plan(seed)).injected for seed in range(20)), start=run(plan(20)).injected)
    assert len(injected) >= len(FAULTS) - 2


def test_a_seed_is_one_history() -> None:
    once, again = run(plan(4)), run(plan(4))
    assert (once.steps, once.lasted, once.acknowledged) == (again.steps, again.lasted, again.acknowledged)
    assert once.steps != run(plan(5)).steps


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.name)
def test_a_planted_bug_is_caught(control: Control) -> None:
    assert hunt(control, range(1000))["histories"] is not None


def test_what_a_history_does_not_need_to_fail_is_left_out() -> None:
    control = next(one for one in CONTROLS if one.name == "swallowed exception in a view")
    seed = hunt(control, range(1000))["seed"]
    assert isinstance(seed, int)
    whole = control.plan(seed)
    small = shrink(whole, lambda one: bool(run(one, control.planted).violations), most=40)
    assert len(small.faults) < len(whole.faults)
    assert run(small, control.planted).violations
    assert not run(small).violations


def test_a_statement_that_the_model_has_not_been_taught_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kernel.storage.log._AFTER", "SELECT something new")
    assert "SELECT something new" in run(plan(0)).violations["the simulation broke"]
