"""Every refusal of the rules is known to clients before they meet it."""

import ast
from pathlib import Path

import httpx
import pytest
import service_desk
import service_desk.app
from kernel.web.problems import PROBLEMS, slug
from service_desk.problems import PROBLEMS as OURS

PACKAGE = Path(service_desk.__file__).parent
STATUSES = {"NotFound": 404, "Conflict": 409, "Invalid": 422, "Forbidden": 403}


def raised() -> dict[str, int]:
    """Code and status of every refusal that a decider constructs with a code of its own."""
    calls = [
        call
        for path in PACKAGE.rglob("decider.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in STATUSES
    ]
    return {
        ast.literal_eval(keyword.value): STATUSES[call.func.id]
        for call in calls
        for keyword in call.keywords
        if keyword.arg == "code" and isinstance(call.func, ast.Name)
    }


def test_every_code_that_a_rule_raises_is_registered() -> None:
    codes = raised()
    assert codes
    assert {code: PROBLEMS[code].status for code in codes} == codes


def test_every_code_that_we_register_is_raised() -> None:
    assert set(OURS) <= set(raised())


@pytest.mark.parametrize("code", sorted(OURS))
async def test_every_code_has_a_page(admin: httpx.AsyncClient, code: str) -> None:
    page = await admin.get(f"/problems/{slug(code)}")
    assert page.status_code == 200
    assert OURS[code].meaning in page.text


async def test_the_description_names_our_codes(admin: httpx.AsyncClient) -> None:
    document = (await admin.get("/openapi.json")).json()
    answers = document["paths"]["/v1/complaints"]["post"]["responses"]
    for code, problem in OURS.items():
        assert code in answers[str(problem.status)]["description"].split(", ")
