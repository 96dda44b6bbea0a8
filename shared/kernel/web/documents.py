"""What OpenAPI says of headers and problems, written once for all operations."""

from typing import Any

from pydantic import BaseModel

from kernel.web.problems import MEDIA_TYPE, PROBLEMS

Responses = dict[int | str, dict[str, Any]]


class FieldError(BaseModel):
    pointer: str | None = None
    parameter: str | None = None
    code: str
    detail: str
    params: dict[str, Any] = {}


class ProblemDocument(BaseModel):
    """RFC 9457. `code` is stable; `title` and `detail` are for people."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    instance: str
    request_id: str
    trace_id: str
    errors: list[FieldError] | None = None
    current_etag: str | None = None


_HEADERS = {
    "Idempotency-Key": (
        "Makes a repeat of this request harmless: same key, same answer, for 72 hours.",
        {"type": "string", "minLength": 8, "maxLength": 255, "pattern": "^[!-~]+$"},
        "0d6cbb9e-8b3b-4d8f-9f8e-2f5a4c8b1a77",
    ),
    "If-Match": (
        "The ETag of the version that the decision was made on.",
        {"type": "string", "pattern": '^"v[0-9]{1,9}"$'},
        '"v3"',
    ),
}


def header_parameters(creates: bool, if_match: bool) -> list[dict[str, Any]]:
    return [_parameter("Idempotency-Key", creates), _parameter("If-Match", if_match)]


def _parameter(name: str, required: bool) -> dict[str, Any]:
    description, schema, example = _HEADERS[name]
    return {
        "name": name,
        "in": "header",
        "required": required,
        "description": description,
        "schema": schema,
        "example": example,
    }


def problem_responses(*statuses: int) -> Responses:
    codes: dict[int, list[str]] = {status: [] for status in statuses}
    for code, known in PROBLEMS.items():
        if known.status in codes:
            codes[known.status].append(code)
    return {
        status: {
            "model": ProblemDocument,
            "description": ", ".join(codes[status]),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
        }
        for status in statuses
    }


def command_responses(*, creates: bool, if_match: bool) -> Responses:
    statuses = {400, 401, 403, 404, 409, 412, 413, 422, 503}
    if if_match:
        statuses.add(428)
    return problem_responses(*sorted(statuses))


def read_responses(*more: int) -> Responses:
    return problem_responses(*sorted({400, 401, 403, 404, 422, 503, *more}))


def record_responses() -> Responses:
    return read_responses() | {304: {"description": "The version named in If-None-Match is the current one."}}
