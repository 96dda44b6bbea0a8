"""Pipelines as clients meet them."""

import httpx
import pytest
from fastapi import FastAPI
from kernel.testing.fixtures import api, new_key
from opportunities.pipeline.templates import TEMPLATES

from tests.opportunities.calls import STAGES, Body, codes, create, define, done, refused
from tests.opportunities.examples import ADA

MORE_STAGES = [*STAGES, {"stage_id": "signed", "name": "Signed", "milestone": "signed"}]


async def test_a_pipeline_is_defined_with_its_stages_in_order(admin: httpx.AsyncClient) -> None:
    pipeline = await define(admin)
    assert pipeline == {
        "id": pipeline["id"],
        "version": 1,
        "status": "active",
        "pipeline_version": 1,
        "name": "Direct sales",
        "stages": [
            {"stage_id": "lead", "name": "Lead", "milestone": "lead"},
            {"stage_id": "talk", "name": "Talk", "milestone": None},
        ],
    }


async def test_redefining_begins_a_version_and_keeps_the_name_that_is_not_given(
    admin: httpx.AsyncClient,
) -> None:
    pipeline = await redefine(admin, await define(admin), stages=MORE_STAGES)
    assert (pipeline["version"], pipeline["pipeline_version"]) == (2, 2)
    assert pipeline["name"] == "Direct sales"
    assert [stage["stage_id"] for stage in pipeline["stages"]] == ["lead", "talk", "signed"]
    renamed = await redefine(admin, pipeline, name="Partners", stages=MORE_STAGES)
    assert (renamed["name"], renamed["pipeline_version"]) == ("Partners", 3)


async def test_a_retired_pipeline_takes_no_deals_until_it_is_reinstated(admin: httpx.AsyncClient) -> None:
    pipeline = await define(admin)
    path, new_deal = f"/v1/pipelines/{pipeline['id']}", {"pipeline_id": pipeline["id"], "stage_id": "lead"}
    retired = done(await admin.post(f"{path}/retire", json={}))
    assert (retired["status"], retired["version"], retired["pipeline_version"]) == ("retired", 2, 1)
    body = new_deal | {"title": "Pumps", "currency": "CNY"}
    refused(await admin.post("/v1/opportunities", json=body, headers=new_key()), 409, "PIPELINE_RETIRED")
    headers = {"If-Match": '"v2"'}
    refused(await admin.put(path, json={"stages": MORE_STAGES}, headers=headers), 409, "PIPELINE_RETIRED")
    assert done(await admin.post(f"{path}/reinstate", json={}))["status"] == "active"
    assert (await create(admin, **new_deal))["stage_id"] == "lead"


async def test_retiring_twice_is_retiring_once(admin: httpx.AsyncClient) -> None:
    path = f"/v1/pipelines/{(await define(admin))['id']}/retire"
    assert done(await admin.post(path, json={})) == done(await admin.post(path, json={}))


async def test_an_id_of_ones_own_is_taken_once(admin: httpx.AsyncClient) -> None:
    pipeline = await define(admin)
    assert await define(admin, id=pipeline["id"]) == pipeline
    body = {"id": pipeline["id"], "name": "Another", "stages": STAGES}
    refused(await admin.post("/v1/pipelines", json=body, headers=new_key()), 409, "PIPELINE_EXISTS")


@pytest.mark.parametrize(
    ("stages", "code"),
    [
        ([STAGES[0], STAGES[0] | {"milestone": None}], "STAGE_DUPLICATE"),
        ([STAGES[0], STAGES[1] | {"milestone": "lead"}], "MILESTONE_DUPLICATE"),
    ],
)
async def test_a_pipeline_repeats_neither_stage_nor_milestone(
    admin: httpx.AsyncClient, stages: list[Body], code: str
) -> None:
    body = {"name": "Twice", "stages": stages}
    answer = refused(await admin.post("/v1/pipelines", json=body, headers=new_key()), 422, code)
    assert codes(answer) == [(None, code)]


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"stages": STAGES[:1]}, "#/stages"),
        ({"stages": [{"stage_id": f"s{n}", "name": "Stage"} for n in range(17)]}, "#/stages"),
        ({"stages": [STAGES[0], {"stage_id": "Two words", "name": "Stage"}]}, "#/stages/1/stage_id"),
        (
            {"stages": [STAGES[0], {"stage_id": "won", "name": "Won", "milestone": "won"}]},
            "#/stages/1/milestone",
        ),
        ({"name": "   "}, "#/name"),
        ({"name": "two\nlines"}, "#/name"),
        ({"name": "x" * 101}, "#/name"),
    ],
)
async def test_what_is_out_of_bounds_is_pointed_at(
    admin: httpx.AsyncClient, said: Body, pointer: str
) -> None:
    body = {"name": "Direct sales", "stages": STAGES} | said
    answer = await admin.post("/v1/pipelines", json=body, headers=new_key())
    assert [place for place, _ in codes(refused(answer, 422, "VALIDATION_FAILED"))] == [pointer]


async def test_the_templates_are_bodies_ready_to_send_in_two_languages(app: FastAPI) -> None:
    async with api(app, "sales_manager", teams=["north"]) as manager:
        chinese = done(await manager.get("/v1/pipeline-templates?language=zh"))["items"]
        english = done(await manager.get("/v1/pipeline-templates"))["items"]
        for template in chinese:
            await define(manager, **template)
    assert [template["id"] for template in english] == [str(template.pipeline_id) for template in TEMPLATES]
    assert [len(template["stages"]) for template in english] == [7, 5]
    assert [template["id"] for template in chinese] == [template["id"] for template in english]
    assert chinese[0]["name"] == "七阶段销售流程"
    async with api(app, "sales_rep", subject=ADA) as rep:
        assert done(await rep.get(f"/v1/pipelines/{chinese[0]['id']}"))["stages"] == chinese[0]["stages"]


async def test_an_analyst_is_shown_no_templates(app: FastAPI) -> None:
    async with api(app, "analyst") as analyst:
        refused(await analyst.get("/v1/pipeline-templates"), 403, "FORBIDDEN")


async def redefine(client: httpx.AsyncClient, pipeline: Body, **said: object) -> Body:
    headers = {"If-Match": f'"v{pipeline["version"]}"'}
    return done(await client.put(f"/v1/pipelines/{pipeline['id']}", json=said, headers=headers))
