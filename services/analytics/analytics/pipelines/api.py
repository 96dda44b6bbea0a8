"""Pipelines over HTTP: what a funnel can be asked of."""

from typing import Annotated

from fastapi import APIRouter, Query
from kernel.web.consistency import header_parameters
from kernel.web.requests import Caller
from starlette.responses import Response

from analytics.answering import answered, figure_responses
from analytics.asking import PositionQuery
from analytics.pipelines.answers import PipelinesOut, list_pipelines

router = APIRouter(tags=["figures"])


@router.get(
    "/v1/pipelines",
    operation_id="pipelines.figures",
    summary="The pipelines and stages that the figures know",
    response_model=PipelinesOut,
    responses=figure_responses(),
    openapi_extra={"parameters": header_parameters()},
)
async def read_pipelines(query: Annotated[PositionQuery, Query()], call: Caller) -> Response:
    return await answered(call, list_pipelines, query)
