"""A record that a view cannot take holds up its own deal alone; once mended, `crm parked` brings all of it back."""

from typing import Any
from uuid import uuid4

from tests.system.asking import settle
from tests.system.running import System, eventually

STAGES = [{"stage_id": name, "name": name.title()} for name in ("lead", "talk", "offer", "signed")]
WORTH = {"amount": "700.00", "currency": "CNY"}
BEHIND = "behind a parked record of the same stream"


def test_what_a_view_cannot_take_waits_and_is_taken_in_order(system: System) -> None:
    told = {"name": "Patient", "stages": STAGES}
    pipeline = system.post("opportunities", "/v1/pipelines", told).json()["id"]
    poisoned, other = begin(system, pipeline), begin(system, pipeline)
    settle(system)
    assert reached(system, pipeline) == [2, 0, 0, 0]

    # A database that will not have this one row any more is a fault that no code of ours has to be bent for.
    system.rows(
        "analytics", f"ALTER TABLE deals_states_1 ADD CONSTRAINT worn CHECK (id <> '{poisoned}') NOT VALID"
    )
    for deal in (poisoned, other):
        move(system, deal, "enter-stage", stage_id="offer")
        move(system, deal, "enter-stage", stage_id="talk")
        move(system, deal, "win", amount=WORTH)
    eventually(lambda: closed(system, pipeline)["won"] == 1, "the other deal flows on")
    eventually(lambda: len(parked(system)) == 4, "all that follows the poisoned record waits behind it")

    assert reached(system, pipeline) == [2, 1, 1, 1]
    waiting = parked(system)
    assert [line.split(": ")[1] == BEHIND for line in waiting] == [False, True, True, True]
    assert all(f"opportunities {poisoned} deals:" in line for line in waiting)
    assert "worn" in waiting[0]
    assert waiting == sorted(waiting, key=lambda line: int(line.split()[0]))
    for question in ("funnel", "retention", "service", "freshness"):
        asked: Any = {"pipeline_id": pipeline} if question == "funnel" else {}
        assert system.get("analytics", f"/v1/{question}", **asked)["parked"] == 1
    assert release(system) == "0 records released."
    assert len(parked(system)) == 4

    system.rows("analytics", "ALTER TABLE deals_states_1 DROP CONSTRAINT worn")
    assert release(system) == "4 records released."
    assert parked(system) == []
    assert reached(system, pipeline) == [2, 2, 2, 2]
    assert closed(system, pipeline)["won"] == 2
    # Offer before talk: taken in another order, the deal would not stand in the talk that it was won from.
    move(system, poisoned, "reopen")
    eventually(lambda: closed(system, pipeline)["won"] == 1, "the reopened deal is open again")
    snapshot = system.get("analytics", "/v1/funnel", pipeline_id=pipeline, view="snapshot")
    assert {stage["stage_id"]: stage["n"] for stage in snapshot["rows"][0]["stages"] if stage["n"]} == {
        "talk": 1
    }
    assert snapshot["parked"] == 0
    assert system.findings(["analytics"]) == []


def begin(system: System, pipeline: str) -> str:
    deal = {"id": str(uuid4()), "pipeline_id": pipeline, "title": "Pumps", "currency": "CNY"}
    return str(system.post("opportunities", "/v1/opportunities", deal).json()["id"])


def move(system: System, deal: str, what: str, **said: object) -> None:
    system.post("opportunities", f"/v1/opportunities/{deal}/{what}", said)


def reached(system: System, pipeline: str) -> list[int]:
    answer = system.get("analytics", "/v1/funnel", pipeline_id=pipeline, view="cohort")
    return [step["n"] for step in answer["rows"][0]["steps"]]


def closed(system: System, pipeline: str) -> dict[str, Any]:
    rows = system.get("analytics", "/v1/funnel", pipeline_id=pipeline, view="closed")["rows"]
    return dict(rows[0]) if rows else {"won": 0}


def parked(system: System) -> list[str]:
    done = system.crm("parked", "analytics", name="analytics")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def release(system: System) -> str:
    done = system.crm("parked", "analytics", "--release", name="analytics")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
