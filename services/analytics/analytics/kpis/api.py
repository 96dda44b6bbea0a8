"""The sales figures over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query
from kernel.web.consistency import header_parameters
from kernel.web.requests import Caller
from starlette.responses import Response

from analytics.answering import answered, figure_responses, zone_of
from analytics.kpis.answers import sales
from analytics.kpis.models import SalesOut, SalesQuery

router = APIRouter(tags=["figures"])


@router.get(
    "/v1/sales",
    operation_id="sales.read",
    summary="Orders, their value and what they cost",
    response_model=SalesOut,
    responses=figure_responses(),
    openapi_extra={"parameters": header_parameters()},
)
async def read_sales(query: Annotated[SalesQuery, Query()], call: Caller) -> Response:
    zone = zone_of(call.node, query)
    return await answered(call, lambda known: sales(known, query, zone), query)
