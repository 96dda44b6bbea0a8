"""Retention over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query
from kernel.web.consistency import header_parameters
from kernel.web.requests import Caller
from starlette.responses import Response

from analytics.answering import answered, figure_responses, zone_of
from analytics.retention.answers import retention
from analytics.retention.models import RetentionOut, RetentionQuery

router = APIRouter(tags=["figures"])


@router.get(
    "/v1/retention",
    operation_id="retention.read",
    summary="Which customers came back, by the month of their first purchase",
    response_model=RetentionOut,
    responses=figure_responses(),
    openapi_extra={"parameters": header_parameters()},
)
async def read_retention(query: Annotated[RetentionQuery, Query()], call: Caller) -> Response:
    zone = zone_of(call.node, query)
    return await answered(call, lambda known: retention(known, query, zone), query)
