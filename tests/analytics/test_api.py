"""Figures over HTTP: the same from cells, states and log; each says how it was counted; who may not, may not."""

from collections import Counter
from itertools import pairwise
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from analytics.asking import FiguresQuery
from analytics.funnel.answers import funnel
from analytics.funnel.models import FunnelQuery
from analytics.kpis.answers import sales
from analytics.kpis.models import SalesQuery
from analytics.reading import knowledge
from analytics.retention.answers import retention
from analytics.retention.models import RetentionQuery
from analytics.service.answers import service
from analytics.service.models import ServiceQuery
from fastapi import FastAPI
from kernel.testing.fixtures import api
from pydantic import BaseModel

from tests.analytics import oracle
from tests.analytics.streams import PIPELINES, STAGES
from tests.analytics.telling import COMPLETE_AT, SHANGHAI, Teller, in_batches
from tests.analytics.worlds import LONG_AGO, World, pipeline_defined, world

PIPELINE = str(PIPELINES[0])
ALL_DAYS = {"from": "2000-01-01", "to": "2100-01-01"}
ALL_MONTHS = {"from": "2000-01", "to": "2100-01"}
OF_THE_ASKING = {"as_of_time", "lag_ms", "parked"}

# Every path with what it is asked, so that whatever holds for all is shown of all.
DEFAULTS: list[tuple[str, dict[str, str]]] = [
    ("/v1/pipelines", {}),
    ("/v1/funnel", {"pipeline_id": PIPELINE, **ALL_DAYS}),
    ("/v1/funnel", {"pipeline_id": PIPELINE, "view": "snapshot"}),
    ("/v1/funnel", {"pipeline_id": PIPELINE, "view": "closed", **ALL_DAYS}),
    ("/v1/retention", ALL_MONTHS),
    ("/v1/service", ALL_DAYS),
    ("/v1/sales", ALL_DAYS),
]
QUESTIONS = [
    *DEFAULTS,
    ("/v1/funnel", {"pipeline_id": PIPELINE, "breakdown": "owner", **ALL_DAYS}),
    ("/v1/funnel", {"pipeline_id": PIPELINE, "breakdown": "team", **ALL_DAYS}),
    ("/v1/funnel", {"pipeline_id": PIPELINE, "mode": "strict", "attribution": "entry", **ALL_DAYS}),
    ("/v1/funnel", {"pipeline_id": PIPELINE, "window_days": "30", **ALL_DAYS}),
    ("/v1/funnel", {"pipeline_id": PIPELINE, "view": "closed", "breakdown": "reason", **ALL_DAYS}),
    ("/v1/funnel", {"pipeline_id": PIPELINE, "view": "closed", "per_attempt": "true", **ALL_DAYS}),
    ("/v1/funnel", {"pipeline_id": PIPELINE, "view": "snapshot", "breakdown": "source"}),
    ("/v1/funnel", {"pipeline_id": PIPELINE, "zone": "Pacific/Kiritimati", **ALL_DAYS}),
    ("/v1/retention", {"mode": "on", "zone": "America/New_York", **ALL_MONTHS}),
    ("/v1/service", {"daily": "true", "breakdown": "channel", **ALL_DAYS}),
    ("/v1/sales", {"breakdown": "owner", "from": "2024-02-29", "to": "2024-04-01"}),
]


async def asked(client: httpx.AsyncClient, path: str, **query: Any) -> dict[str, Any]:
    answer = await client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    assert answer.headers["Projection-Position"] == str(body["as_of_position"])
    return body


def figures(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in OF_THE_ASKING}


async def told(teller: Teller, seed: int) -> World:
    random = Random(seed)
    made = world(random)
    for batch in in_batches(teller.records(made.histories, random), random):
        await teller.hear(batch)
    return made


async def test_an_answer_names_how_it_was_counted(teller: Teller, analyst: httpx.AsyncClient) -> None:
    await told(teller, 1)
    await teller.complete("contacts", 5)
    body = await asked(
        analyst, "/v1/funnel", pipeline_id=PIPELINE, window_days=30, mode="touched", zone="Asia/Kathmandu"
    )
    position = await teller.position()
    basis = {name: value for name, value in body.items() if name not in {"rows", "as_of_time"}}
    assert basis.pop("lag_ms") >= 0
    period = basis.pop("period")
    assert period["from"][5:] == period["to"][5:]
    assert basis == {
        "as_of_position": position,
        "parked": 0,
        "view": "cohort",
        "mode": "touched",
        "attribution": "at_step",
        "window_days": 30,
        "zone": "Asia/Kathmandu",
        "pipeline_id": PIPELINE,
        "pipeline_version": 1,
        "stages": "as defined",
        "breakdown": "all",
    }


@pytest.mark.parametrize(("mode", "attribution", "zone"), [
    ("reached", "at_step", "Asia/Shanghai"),
    ("touched", "entry", "Asia/Kathmandu"),
    ("strict", "current", "America/New_York"),
    ("strict", "at_step", "UTC"),
])  # fmt: skip
@pytest.mark.parametrize("breakdown", ["all", "owner", "source"])
async def test_the_funnel_is_what_a_plain_count_finds(
    teller: Teller, analyst: httpx.AsyncClient, mode: str, attribution: str, zone: str, breakdown: str
) -> None:
    made = await told(teller, 5)
    query = {"breakdown": breakdown, "mode": mode, "attribution": attribution, "zone": zone, **ALL_DAYS}
    body = await asked(analyst, "/v1/funnel", pipeline_id=PIPELINE, **query)
    ask = oracle.Ask(mode, attribution)
    counted: Counter[tuple[str, str]] = Counter()
    for key, n in oracle.funnel(made.deals, ZoneInfo(zone), ask).items():
        view, pipeline, dimension, _, value, _, name = map(str, key)
        if (view, pipeline, dimension) == ("cohort", PIPELINE, breakdown):
            counted[value, name] += n
    found: Counter[tuple[str, str]] = Counter()
    for row in body["rows"]:
        for name in ("entered", "mature", "won", "lost"):
            found[row["value"], name] = row[name]
        for place, step in enumerate(row["steps"], start=1):
            found[row["value"], f"n{place}"] = step["n"]
    # A won deal has reached every place, also those that this pipeline does not have.
    kept = {f"n{place + 1}" for place in range(len(STAGES))} | {"entered", "mature", "won", "lost"}
    assert +found == Counter({key: n for key, n in counted.items() if key[1] in kept})
    for row in body["rows"]:
        assert row["win_rate"] == oracle.share(
            counted[row["value"], "won"], counted[row["value"], "mature"], ask, breakdown
        )
        steps = [counted[row["value"], f"n{place + 1}"] for place in range(len(STAGES))]
        mature = counted[row["value"], "mature"]
        assert [step["from_entry"] for step in row["steps"]] == [
            oracle.share(n, mature, ask, breakdown) for n in steps
        ]
        assert [step["from_previous"] for step in row["steps"]] == [
            None,
            *[oracle.conversion(n, before, ask, breakdown) for before, n in pairwise(steps)],
        ]


@pytest.mark.parametrize("seed", range(3))
async def test_states_answer_as_the_kept_cells_do(teller: Teller, app: FastAPI, seed: int) -> None:
    await told(teller, seed)
    node = app.state.node

    async def answers(kept: bool) -> list[dict[str, Any]]:
        found: list[BaseModel] = []
        async with knowledge(node, kept=kept) as known:
            for breakdown in ("all", "owner", "source"):
                for view in ("cohort", "closed", "snapshot"):
                    query = FunnelQuery.model_validate(
                        {"view": view, "pipeline_id": PIPELINE, "breakdown": breakdown, **ALL_DAYS}
                    )
                    found.append(await funnel(known, query, SHANGHAI))
            found.append(await retention(known, RetentionQuery.model_validate(ALL_MONTHS), SHANGHAI))
            for choice in ("all", "owner", "channel"):
                desk = ServiceQuery.model_validate({"breakdown": choice, "daily": True, **ALL_DAYS})
                found.append(await service(known, desk, SHANGHAI))
            for choice in ("all", "owner", "team"):
                found.append(
                    await sales(known, SalesQuery.model_validate({"breakdown": choice, **ALL_DAYS}), SHANGHAI)
                )
        return [figures(answer.model_dump()) for answer in found]

    assert await answers(kept=True) == await answers(kept=False)


@pytest.mark.parametrize("seed", range(3))
async def test_a_position_gives_again_what_was_answered_when_it_was_the_newest(
    teller: Teller, analyst: httpx.AsyncClient, seed: int
) -> None:
    random = Random(seed)
    made = world(random)
    recorded: list[tuple[str, dict[str, str], dict[str, Any]]] = []
    await teller.tell(*made.pipelines)
    for batch in in_batches(teller.records([*made.deals, *made.orders, *made.complaints], random), random):
        await teller.hear(batch)
        for path, query in QUESTIONS:
            recorded.append((path, query, await asked(analyst, path, **query)))
    for path, query, before in recorded:
        position = before["as_of_position"]
        again = await asked(analyst, path, **query, as_of_position=position)
        assert figures(again) == figures(before)


async def test_a_position_that_is_not_reached_yet_is_refused(analyst: httpx.AsyncClient) -> None:
    answer = await analyst.get("/v1/sales", params={"as_of_position": 1})
    assert answer.status_code == 422
    assert [(e["parameter"], e["code"]) for e in answer.json()["errors"]] == [
        ("as_of_position", "OUT_OF_RANGE")
    ]


async def test_a_deal_that_passed_a_stage_of_an_older_version_stands_where_it_would_now(
    teller: Teller, analyst: httpx.AsyncClient
) -> None:
    """The newest version begins with a stage that the deals of before have never been in."""
    made = await told(teller, 3)
    before = await asked(analyst, "/v1/funnel", pipeline_id=PIPELINE, **ALL_DAYS)
    newer = pipeline_defined(PIPELINES[0], 2, ["fresh", *STAGES])
    await teller.tell([(newer, LONG_AGO)])
    after = await asked(analyst, "/v1/funnel", pipeline_id=PIPELINE, **ALL_DAYS)
    assert made.deals
    assert [step["stage_id"] for step in after["rows"][0]["steps"]] == ["fresh", *STAGES]
    counts = {step["stage_id"]: step["n"] for step in before["rows"][0]["steps"]}
    assert {s["stage_id"]: s["n"] for s in after["rows"][0]["steps"] if s["stage_id"] != "fresh"} == counts
    named = await asked(analyst, "/v1/funnel", pipeline_id=PIPELINE, pipeline_version=1, **ALL_DAYS)
    assert named["rows"] == before["rows"]
    assert (after["pipeline_version"], named["pipeline_version"]) == (2, 1)


async def test_the_only_pipeline_need_not_be_named(teller: Teller, analyst: httpx.AsyncClient) -> None:
    made = world(Random(4))
    await teller.tell(made.pipelines[0])
    assert (await asked(analyst, "/v1/funnel"))["pipeline_id"] == PIPELINE
    await teller.tell(made.pipelines[1])
    answer = await analyst.get("/v1/funnel")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == "pipeline_id"


async def test_amounts_are_decimal_strings_and_each_currency_is_apart(
    teller: Teller, analyst: httpx.AsyncClient
) -> None:
    await told(teller, 7)
    rows = (await asked(analyst, "/v1/sales", **ALL_DAYS))["rows"]
    assert [row["sales"]["currency"] for row in rows] == ["CNY", "JPY"]
    assert rows[0]["sales"]["amount"].count(".") == 1
    assert rows[1]["sales"]["amount"].count(".") == 0


async def test_freshness_says_how_far_each_source_is_and_what_is_parked(
    teller: Teller, analyst: httpx.AsyncClient
) -> None:
    await told(teller, 1)
    await teller.complete("service-desk", 999)
    async with teller.database.driver() as connection:
        await connection.execute(
            """INSERT INTO parked (follower, version, source, incarnation, stream_id, position, error) VALUES
               ('deals', 1, 'opportunities', $1, $1, 7, 'ValueError()'), ('deals', 1, 'opportunities', $1, $1, 9, 'b'),
               ('deals', 99, 'opportunities', $1, $2, 9, 'of a version that is not live')""",
            PIPELINES[0],
            PIPELINES[1],
        )
    body = await asked(analyst, "/v1/freshness")
    sources = {source.pop("source"): source for source in body["sources"]}
    assert sources["contacts"] == {"complete_at": None, "lag_ms": None, "position": None, "newest": None}
    assert sources["service-desk"]["position"] == 999 > sources["service-desk"]["newest"]
    assert sources["opportunities"]["position"] == sources["opportunities"]["newest"]
    assert sources["opportunities"]["complete_at"] == COMPLETE_AT.isoformat().replace("+00:00", "Z")
    assert body["parked"] == 1
    assert [(p["view"], p["position"], p["records"]) for p in body["parked_streams"]] == [("deals", 7, 2)]
    assert body["lag_ms"] is None


@pytest.mark.parametrize(("path", "query"), DEFAULTS)
async def test_figures_are_for_those_who_lead_or_analyse(
    app: FastAPI, teller: Teller, path: str, query: dict[str, str]
) -> None:
    await teller.tell(*world(Random(0)).pipelines)
    async with api(app) as client:
        client.headers.pop("Authorization")
        assert (await client.get(path, params=query)).status_code == 401
    for role in ("sales_rep", "service_agent"):
        async with api(app, role) as client:
            answer = await client.get(path, params=query)
            assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")
    for role in ("analyst", "sales_manager", "service_manager", "admin", "service"):
        async with api(app, role) as client:
            assert (await client.get(path, params=query)).status_code == 200


@pytest.mark.parametrize(
    ("path", "query", "parameter"),
    [
        ("/v1/sales", {"zone": "Mars/Olympus"}, "zone"),
        ("/v1/sales", {"zone": "../etc/passwd"}, "zone"),
        ("/v1/sales", {"from": "1700000000"}, "from"),
        ("/v1/sales", {"to": "2026-02-30"}, "to"),
        ("/v1/sales", {"from": "0001-01-01"}, "from"),
        ("/v1/sales", {"from": "2026-05-02", "to": "2026-05-02"}, "from"),
        ("/v1/sales", {"breakdown": "customer"}, "breakdown"),
        ("/v1/sales", {"form": "2026-01-01"}, "form"),
        ("/v1/sales", {"as_of_position": "-1"}, "as_of_position"),
        ("/v1/retention", {"from": "2026-13"}, "from"),
        ("/v1/retention", {"from": "2026-01-01"}, "from"),
        ("/v1/retention", {"mode": "both of them"}, "mode"),
        ("/v1/service", {"breakdown": "team"}, "breakdown"),
        ("/v1/funnel", {"window_days": "0"}, "window_days"),
        ("/v1/funnel", {"breakdown": "reason"}, "breakdown"),
        ("/v1/funnel", {"pipeline_version": "7"}, "pipeline_version"),
        ("/v1/funnel", {"pipeline_id": "first"}, "pipeline_id"),
        ("/v1/freshness", {"as_of_position": "1"}, "as_of_position"),
    ],
)
async def test_a_parameter_that_makes_no_sense_is_named(
    teller: Teller, analyst: httpx.AsyncClient, path: str, query: dict[str, str], parameter: str
) -> None:
    await teller.tell([(pipeline_defined(PIPELINES[0]), LONG_AGO)])
    answer = await analyst.get(path, params=query)
    assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION_FAILED"), answer.text
    assert [error["parameter"] for error in answer.json()["errors"]] == [parameter]


async def test_a_pipeline_that_nobody_told_of_is_not_found(analyst: httpx.AsyncClient) -> None:
    for query in ({}, {"pipeline_id": PIPELINE}):
        answer = await analyst.get("/v1/funnel", params=query)
        assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


def test_all_questions_forbid_what_they_do_not_know() -> None:
    for question in (FunnelQuery, RetentionQuery, ServiceQuery, SalesQuery):
        assert issubclass(question, FiguresQuery)
        assert question.model_config["extra"] == "forbid"


async def test_every_figure_is_described_with_an_example_and_its_headers(analyst: httpx.AsyncClient) -> None:
    document = (await analyst.get("/openapi.json")).json()
    for path in ("/v1/funnel", "/v1/retention", "/v1/service", "/v1/sales", "/v1/pipelines"):
        operation = document["paths"][path]["get"]
        names = {parameter["name"] for parameter in operation["parameters"]}
        assert {"as_of_position", "as_of_time", "Consistency-Token", "Prefer"} <= names
        assert {"400", "401", "403", "404", "422", "503"} <= operation["responses"].keys()
    schemas = document["components"]["schemas"]
    assert not [name for name in schemas if "__" in name]
    assert schemas["FunnelCohortOut"]["properties"]["period"]
    assert schemas["StepOut"]["properties"]["n"]["examples"] == [150]
    for name in ("from_previous", "from_entry", "from_milestone", "benchmark"):
        assert "null" in schemas["StepOut"]["properties"][name]["description"]
    assert schemas["SalesOut"]["properties"]["as_of_time"]["description"]
