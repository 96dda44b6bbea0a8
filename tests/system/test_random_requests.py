"""Whatever a client sends, a service answers as its OpenAPI document says, and never with a failure of its own."""

import asyncio
from typing import Annotated

import pytest
from fastapi import FastAPI, HTTPException, Query
from fastapi.responses import JSONResponse, Response
from kernel.runtime.embedded import EmbeddedPostgres
from kernel.testing.fixtures import api

from tests.system.random_requests.asking import Asker, Findings
from tests.system.random_requests.records import Records
from tests.system.random_requests.services import PACKAGES, Host, fit_of_nobody, host

EXAMPLES, SPOILT = 50, 6


@pytest.mark.timeout(400)
@pytest.mark.parametrize("package", PACKAGES)
async def test_no_random_request_finds_an_answer_that_is_not_documented(
    postgres_server: EmbeddedPostgres, package: str
) -> None:
    async with host(postgres_server, package) as made:
        asker = Asker(made, asyncio.get_running_loop())
        findings = await asyncio.to_thread(asker.ask_all, EXAMPLES, SPOILT)
    print(_table(findings))
    assert not findings.wrong, "\n\n".join(findings.wrong.values())
    assert findings.reached >= 0.9, f"never served: {findings.never_served}"
    assert all(seen.total() >= EXAMPLES for seen in findings.statuses.values())


async def test_an_answer_that_is_not_documented_is_found() -> None:
    app = FastAPI()

    @app.get("/v1/things", operation_id="things.list")
    async def things(limit: Annotated[int, Query(ge=1)] = 1) -> list[int]:
        raise HTTPException(418 if limit % 2 else 500)

    @app.get("/v1/numbers", operation_id="numbers.list", response_model=list[int])
    async def numbers() -> Response:
        return JSONResponse(["one"])

    async with api(app) as client:
        asker = Asker(Host(app, client, Records(), fit_of_nobody), asyncio.get_running_loop())
        findings = await asyncio.to_thread(asker.ask_all, 20, 0)
    assert {name for name, _, _ in findings.wrong} == {"things.list", "numbers.list"}
    assert {418, 500} <= {status for _, status, _ in findings.wrong}
    assert list(findings.never_served) == ["things.list"]


def _table(findings: Findings) -> str:
    lines = [f"{name:40} {dict(sorted(seen.items()))}" for name, seen in findings.statuses.items()]
    return "\n".join([*lines, f"never served: {findings.never_served or 'none'}"])
