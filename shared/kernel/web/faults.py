"""What goes wrong around a command, beside what the kernel refuses: the framework's errors told as problems."""

from collections.abc import Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from kernel.web.problems import Described, describe, problem


class TooLarge(Exception):
    """More body came than is allowed."""


def described(error: Exception) -> Described:
    if isinstance(error, TooLarge):
        return problem("BODY_TOO_LARGE", "The body is larger than this operation takes.")
    if isinstance(error, RequestValidationError):
        return invalid(error.errors())
    if isinstance(error, HTTPException):
        codes = {400: "MALFORMED_JSON", 404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 413: "BODY_TOO_LARGE"}
        return problem(codes.get(error.status_code, "INTERNAL"), str(error.detail))
    return describe(error)


def invalid(found: Sequence[Any]) -> Described:
    """Validation errors of the framework with JSON pointers, one entry per field."""
    if any(error["type"] == "json_invalid" for error in found):
        return problem("MALFORMED_JSON", "The body is not valid JSON.")
    errors = [_entry(error) for error in found]
    count = "1 field is" if len(errors) == 1 else f"{len(errors)} fields are"
    return problem("VALIDATION_FAILED", f"{count} not valid", errors=errors)


def _entry(error: Any) -> dict[str, Any]:
    place, *path = error["loc"]
    if place == "body":
        where = {"pointer": "#" + "".join(f"/{_escaped(part)}" for part in path)}
    else:
        where = {"parameter": ".".join(map(str, path))}
    context = {k: v if isinstance(v, int | str | bool) else str(v) for k, v in error.get("ctx", {}).items()}
    return {**where, "code": error["type"].upper(), "detail": error["msg"], "params": context}


def _escaped(part: object) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")
