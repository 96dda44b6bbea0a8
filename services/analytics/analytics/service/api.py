"""The complaint figures over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query
from kernel.web.consistency import header_parameters
from kernel.web.requests import Caller
from starlette.responses import Response

from analytics.answering import answered, figure_responses, zone_of
from analytics.service.answers import service
from analytics.service.models import ServiceOut, ServiceQuery

router = APIRouter(tags=["figures"])


@router.get(
    "/v1/service",
    operation_id="service.read",
    summary="Complaints: what came in, how fast it was answered, what came back, what is open",
    response_model=ServiceOut,
    responses=figure_responses(),
    openapi_extra={"parameters": header_parameters()},
)
async def read_service(query: Annotated[ServiceQuery, Query()], call: Caller) -> Response:
    zone = zone_of(call.node, query)
    return await answered(call, lambda known: service(known, query, zone), query)
