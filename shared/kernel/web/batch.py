"""`POST /v1/batch`: up to 1,000 independent commands, each with its own key and its own answer."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import structlog
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import to_json

from kernel.domain.errors import Invalid
from kernel.runtime.logs import told
from kernel.storage.aggregate import AnyHandled, Intent
from kernel.storage.batch import Outcome
from kernel.web.commands import CreationBody, MatchRequired, Operation, idempotency_key, make_intent
from kernel.web.documents import problem_responses
from kernel.web.etags import etag
from kernel.web.problems import Described, describe, problem
from kernel.web.requests import Call

log = structlog.get_logger()

PATH = "/v1/batch"
_SUBMITTED_AT_ONCE = 64
# Then the loop turns, so that nothing else waits for the reading of a thousand commands.
_READ_AT_ONCE = 8

router = APIRouter()


class BatchItem(BaseModel):
    """`command` is the operation id of the single route; `data` its body without `occurred_at`."""

    model_config = ConfigDict(extra="forbid")

    client_ref: str | None = Field(None, max_length=200)
    idempotency_key: str = Field(min_length=8, max_length=255, examples=["order-00017-place"])
    command: str
    id: UUID | None = None
    if_match: str | None = None
    occurred_at: str | None = None
    data: dict[str, Any] = Field(default_factory=dict)


class BatchIn(BaseModel):
    model_config = ConfigDict(extra="forbid", cache_strings="keys")

    items: list[BatchItem] = Field(min_length=1, max_length=1000)


class BatchResult(BaseModel):
    index: int
    client_ref: str | None
    status: int
    id: UUID | None
    etag: str | None
    replayed: bool
    problem: dict[str, Any] | None


class BatchSummary(BaseModel):
    succeeded: int
    failed: int


class BatchOut(BaseModel):
    items: list[BatchResult]
    summary: BatchSummary


@router.post(
    PATH,
    operation_id="batch",
    summary="Carry out many independent commands",
    status_code=207,
    response_model=BatchOut,
    responses=problem_responses(400, 401, 403, 413, 422, 503),
)
async def batch(body: BatchIn) -> None:
    """For OpenAPI alone: `Operations` answers."""
    raise AssertionError("answered before the framework's router is asked")


async def carry_out(operations: Mapping[str, Operation], items: Sequence[BatchItem], call: Call) -> bytes:
    """The body of the answer: one result for each item, in their order."""
    outcomes: list[AnyHandled | Exception | Described | None] = [None] * len(items)
    submitted: list[tuple[list[int], asyncio.Task[list[Outcome]]]] = []
    keys: set[str] = set()
    async with asyncio.TaskGroup() as group:
        intents: dict[int, Intent] = {}
        for index, item in enumerate(items, 1):
            try:
                intents[index - 1] = _intent(operations, item, keys, call)
            except ValidationError as error:
                outcomes[index - 1] = _invalid(error)
            except Exception as error:
                outcomes[index - 1] = _failed(error)
            if index % _SUBMITTED_AT_ONCE == 0 or index == len(items):
                # The first ones are written while the next ones are read.
                load = call.node.committer.submit_all(list(intents.values()))
                submitted.append((list(intents), group.create_task(load)))
                intents = {}
            if index % _READ_AT_ONCE == 0:
                await asyncio.sleep(0)
    for places, task in submitted:
        for index, outcome in zip(places, task.result(), strict=True):
            outcomes[index] = outcome
    results = [
        _result(i, item, outcome) for i, (item, outcome) in enumerate(zip(items, outcomes, strict=True))
    ]
    failed = sum(result["problem"] is not None for result in results)
    return to_json({"items": results, "summary": {"succeeded": len(results) - failed, "failed": failed}})


def _intent(operations: Mapping[str, Operation], item: BatchItem, keys: set[str], call: Call) -> Intent:
    if item.idempotency_key in keys:
        raise Invalid("Another item of this batch has the same key.", code="IDEMPOTENCY_KEY_REUSED")
    keys.add(item.idempotency_key)
    operation = operations.get(item.command)
    if operation is None:
        raise Invalid("There is no such command.", pointer="#/command", allowed=sorted(operations))
    if item.id is None and "{id}" in operation.path:
        raise Invalid("This command needs the id of its record.", pointer="#/id")
    if item.id not in (None, operation.stream_id) and operation.stream_id:
        raise Invalid("There is one such record, and it has another id.", pointer="#/id")
    if operation.if_match and item.if_match is None:
        raise MatchRequired("This operation needs if_match.")
    said = item.data if item.occurred_at is None else {**item.data, "occurred_at": item.occurred_at}
    body = operation.body.model_validate(said)
    command = body.command()
    own_id = body.id if isinstance(body, CreationBody) else None
    if item.id and own_id and item.id != own_id:
        raise Invalid("The item's id and its data's id differ.", pointer="#/id")
    return make_intent(
        operation,
        call,
        stream_id=item.id or own_id,
        command=command,
        body=body,
        key=idempotency_key(item.idempotency_key, required=True),
        if_match=item.if_match,
        must_be_new=False,
        seen_by=call.policy.command_scope(call.principal, type(command)),
    )


def _result(index: int, item: BatchItem, outcome: Any) -> dict[str, Any]:
    result: dict[str, Any] = {
        "index": index,
        "client_ref": item.client_ref,
        "id": str(item.id) if item.id else None,
        "etag": None,
        "replayed": False,
        "problem": None,
    }
    if isinstance(outcome, Described | Exception):
        described = outcome if isinstance(outcome, Described) else describe(outcome)
        return result | {"status": described.status, "problem": described.body()}
    return result | {
        "status": outcome.status,
        "id": str(outcome.stream_id),
        "etag": etag(outcome.version),
        "replayed": outcome.replayed,
    }


def _failed(error: Exception) -> Described:
    described = describe(error)
    if described.code == "INTERNAL":
        log.error("item_failed", **told(error))
    return described


def _invalid(error: ValidationError) -> Described:
    errors = [
        {
            "pointer": "#/data" + "".join(f"/{part}" for part in entry["loc"]),
            "code": entry["type"].upper(),
            "detail": entry["msg"],
        }
        for entry in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return problem("VALIDATION_FAILED", f"{len(errors)} field(s) of this item not valid", errors=errors)
