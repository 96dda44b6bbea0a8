"""The funnel over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query
from kernel.web.consistency import header_parameters
from kernel.web.requests import Caller
from starlette.responses import Response

from analytics.answering import answered, figure_responses, zone_of
from analytics.funnel.answers import funnel
from analytics.funnel.models import FunnelOut, FunnelQuery

router = APIRouter(tags=["figures"])


@router.get(
    "/v1/funnel",
    operation_id="funnel.read",
    summary="How far deals come, where the open ones are, and what was won",
    response_model=FunnelOut,
    responses=figure_responses(),
    openapi_extra={"parameters": header_parameters()},
)
async def read_funnel(query: Annotated[FunnelQuery, Query()], call: Caller) -> Response:
    zone = zone_of(call.node, query)
    return await answered(call, lambda known: funnel(known, query, zone), query)
