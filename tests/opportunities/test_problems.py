"""Every refusal of the rules is documented, and documented with the status it is answered with."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import opportunities
from fastapi import FastAPI
from kernel.domain import errors
from kernel.web.problems import PROBLEMS, describe
from opportunities import problems

CODE = re.compile(r"[A-Z]+(_[A-Z]+)+")
KINDS = {"Invalid": errors.Invalid, "Conflict": errors.Conflict, "NotFound": errors.NotFound}


def sources() -> Iterator[ast.Module]:
    for path in Path(opportunities.__path__[0]).rglob("*.py"):
        if "migrations" not in path.parts and path.name != "problems.py":
            yield ast.parse(path.read_text())


def codes(node: ast.AST) -> set[str]:
    constants = (part.value for part in ast.walk(node) if isinstance(part, ast.Constant))
    return {value for value in constants if isinstance(value, str) and CODE.fullmatch(value)}


def test_every_code_of_the_rules_is_registered_and_every_registered_one_is_raised() -> None:
    raised = set[str]().union(*(codes(source) for source in sources()))
    assert raised - PROBLEMS.keys() == set()
    assert problems.PROBLEMS.keys() - raised == set()


def test_a_code_has_the_status_of_the_kind_that_raises_it() -> None:
    for source in sources():
        for call in (node for node in ast.walk(source) if isinstance(node, ast.Call)):
            kind = KINDS.get(call.func.id) if isinstance(call.func, ast.Name) else None
            said = set[str]().union(*(codes(keyword) for keyword in call.keywords if keyword.arg == "code"))
            for code in said if kind else ():
                assert kind is not None
                assert describe(kind("No.")).status == PROBLEMS[code].status, code


def test_the_documentation_names_the_codes_of_this_service(app: FastAPI) -> None:
    operation = app.openapi()["paths"]["/v1/opportunities/{id}/enter-stage"]["post"]
    assert "OPPORTUNITY_CLOSED" in operation["responses"]["409"]["description"]
    assert "STAGE_UNKNOWN" in operation["responses"]["422"]["description"]
