"""The whole way of a fact: told to one service, counted by another, in the ten lines of the test."""

from uuid import uuid4

from tests.system.running import System


def test_a_won_deal_reaches_the_funnel(system: System) -> None:
    stages = [{"stage_id": "lead", "name": "Lead"}, {"stage_id": "signed", "name": "Signed"}]
    pipeline = system.post("opportunities", "/v1/pipelines", {"name": "Direct", "stages": stages}).json()[
        "id"
    ]
    worth = {"amount": "12000.00", "currency": "CNY"}
    deal = {"pipeline_id": pipeline, "title": "Twelve pumps", "amount": worth, "currency": "CNY"}
    path = system.post("opportunities", "/v1/opportunities", {"id": str(uuid4()), **deal}).headers["Location"]
    won = system.post("opportunities", f"{path}/win", {})

    # The answer to a command names the moment after it; whoever shows it to analytics is told what counts it.
    seen = {"Consistency-Token": won.headers["Consistency-Token"], "Prefer": "wait=5, handling=strict"}
    closed = system.get("analytics", "/v1/funnel", headers=seen, pipeline_id=pipeline, view="closed")
    assert closed["rows"][0]["won"] == 1
    assert closed["rows"][0]["won_value"] == [worth]
    cohort = system.get("analytics", "/v1/funnel", headers=seen, pipeline_id=pipeline, view="cohort")
    assert [step["n"] for step in cohort["rows"][0]["steps"]] == [1, 1]
