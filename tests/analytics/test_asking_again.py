"""An answer asked for again: with its position and its time it is the same, however much has passed since."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.analytics.showcase import showcase
from tests.analytics.telling import Teller
from tests.analytics.test_api import asked

# None names its period, so each looks back from the moment of asking.
QUESTIONS: list[tuple[str, dict[str, str]]] = [
    ("/v1/pipelines", {}),
    ("/v1/funnel", {"window_days": "30"}),
    ("/v1/funnel", {"window_days": "90", "breakdown": "team", "attribution": "entry"}),
    ("/v1/funnel", {"view": "snapshot"}),
    ("/v1/funnel", {"view": "closed", "breakdown": "owner"}),
    ("/v1/retention", {}),
    ("/v1/retention", {"mode": "on", "zone": "America/New_York"}),
    ("/v1/service", {"breakdown": "channel"}),
    ("/v1/sales", {"breakdown": "team"}),
]
OF_THE_ASKING = {"lag_ms", "parked"}


def stated(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in OF_THE_ASKING}


def both(body: dict[str, Any]) -> dict[str, Any]:
    return {"as_of_position": body["as_of_position"], "as_of_time": body["as_of_time"]}


async def test_an_answer_asked_again_with_its_position_and_time_is_the_same(
    teller: Teller, analyst: httpx.AsyncClient
) -> None:
    """Heard long before the question, and asked again after other things were heard: three different times."""
    records = teller.records(showcase(datetime.now(UTC), deals=60))
    recorded: list[tuple[str, dict[str, str], dict[str, Any]]] = []
    for half in (records[: len(records) // 2], records[len(records) // 2 :]):
        await teller.hear(half)
        await teller.age(timedelta(days=40))
        for path, query in QUESTIONS:
            recorded.append((path, query, await asked(analyst, path, **query)))
    for path, query, before in recorded:
        again = await asked(analyst, path, **query, **both(before))
        assert stated(again) == stated(before), (path, query)


async def test_a_position_alone_looks_back_from_when_it_was_heard(
    teller: Teller, analyst: httpx.AsyncClient
) -> None:
    records = teller.records(showcase(datetime.now(UTC), deals=5))
    await teller.hear(records[:-1])
    await teller.age(timedelta(days=40))
    before = await asked(analyst, "/v1/sales")
    await teller.hear(records[-1:])
    then = await asked(analyst, "/v1/sales", as_of_position=before["as_of_position"])
    passed = datetime.fromisoformat(before["as_of_time"]) - datetime.fromisoformat(then["as_of_time"])
    assert timedelta(days=40) <= passed < timedelta(days=41)
    assert then["period"] != before["period"]


async def test_before_anything_was_heard_the_time_decides(analyst: httpx.AsyncClient) -> None:
    query = {"as_of_position": 0, "as_of_time": "2024-02-29T23:30:00+08:00", "zone": "Asia/Shanghai"}
    answer = await asked(analyst, "/v1/sales", **query)
    assert answer["period"] == {"from": "2023-03-01", "to": "2024-03-01"}
    assert answer["as_of_time"] == "2024-02-29T15:30:00Z"


async def test_a_time_is_refused_where_no_answer_can_have_stated_it(
    teller: Teller, analyst: httpx.AsyncClient
) -> None:
    await teller.hear(teller.records(showcase(datetime.now(UTC), deals=1))[:2])
    now = datetime.now(UTC)
    refused: list[tuple[dict[str, str | int], str]] = [
        ({"as_of_time": now.isoformat()}, "NOT_APPLICABLE"),
        ({"as_of_position": 2, "as_of_time": (now + timedelta(hours=1)).isoformat()}, "OUT_OF_RANGE"),
        ({"as_of_position": 2, "as_of_time": (now - timedelta(hours=1)).isoformat()}, "OUT_OF_RANGE"),
        ({"as_of_position": 1, "as_of_time": "2026-06-30T09:12:44"}, "TIMEZONE_AWARE"),
        ({"as_of_position": 1, "as_of_time": "1700000000"}, "VALUE_ERROR"),
        ({"as_of_position": 1, "as_of_time": "9999-12-31T23:59:59-23:00"}, "VALUE_ERROR"),
        ({"as_of_position": 0, "as_of_time": "0001-01-01T00:00:00+23:00"}, "VALUE_ERROR"),
    ]
    for query, code in refused:
        answer = await analyst.get("/v1/sales", params=query)
        assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION_FAILED"), answer.text
        assert [(e["parameter"], e["code"]) for e in answer.json()["errors"]] == [("as_of_time", code)]
