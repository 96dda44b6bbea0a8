"""The directory of pipelines, read through its list."""

import httpx
from fastapi import FastAPI
from opportunities.pipeline.aggregate import pipeline

from tests.opportunities.calls import STAGES, define, done, listed
from tests.opportunities.replay import kept, replayed


async def test_the_directory_shows_the_stages_of_the_newest_definition(admin: httpx.AsyncClient) -> None:
    made = await define(admin, name="Directory")
    body = {"name": "Directory 目录", "stages": list(reversed(STAGES))}
    headers = {"If-Match": '"v1"'}
    done(await admin.put(f"/v1/pipelines/{made['id']}", json=body, headers=headers))
    [item] = [item for item in await listed(admin, "/v1/pipelines") if item["id"] == made["id"]]
    assert (item["name"], item["pipeline_version"], item["etag"]) == ("Directory 目录", 2, '"v2"')
    assert [stage["stage_id"] for stage in item["stages"]] == ["talk", "lead"]
    assert item["created_at"] < item["updated_at"]


async def test_the_directory_tells_active_from_retired(admin: httpx.AsyncClient) -> None:
    active, retired, back = [await define(admin) for _ in range(3)]
    for made in (retired, back):
        done(await admin.post(f"/v1/pipelines/{made['id']}/retire", json={}))
    done(await admin.post(f"/v1/pipelines/{back['id']}/reinstate", json={}))
    shown = {item["id"] for item in await listed(admin, "/v1/pipelines", status="active")}
    assert {active["id"], back["id"]} <= shown
    assert [item["id"] for item in await listed(admin, "/v1/pipelines", status="retired")] == [retired["id"]]


async def test_the_directory_is_sorted_by_name_unless_asked_otherwise(admin: httpx.AsyncClient) -> None:
    for name in ("Zeta", "Alpha"):
        await define(admin, name=name)
    names = [item["name"] for item in await listed(admin, "/v1/pipelines")]
    assert names.index("Alpha") < names.index("Zeta")
    assert (await listed(admin, "/v1/pipelines", sort="-created_at"))[0]["name"] == "Alpha"


async def test_a_replay_of_the_log_gives_the_same_row(app: FastAPI, admin: httpx.AsyncClient) -> None:
    made = await define(admin)
    done(await admin.post(f"/v1/pipelines/{made['id']}/retire", json={}))
    assert await replayed(app, pipeline, made["id"]) == await kept(app, pipeline, made["id"])
