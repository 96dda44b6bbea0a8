"""The console's pages: entered by a link, seen with a cookie, read-only, and each table also as a file."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from kernel.domain.errors import NotFound, Refused
from kernel.messaging.service import Node
from kernel.storage.catalog import ViewUnknown
from kernel.web.faults import invalid
from kernel.web.policy import Policy
from kernel.web.problems import Described, describe
from starlette.responses import Response

from analytics.asking import PositionQuery
from analytics.console import sessions
from analytics.console.grids import as_csv
from analytics.console.page import Page
from analytics.console.pages import funnel, overview, retention, service
from analytics.console.rendering import HEADERS, page, static_file
from analytics.console.visits import Visit, visit
from analytics.reading import Knowledge, knowledge

PAGES: Mapping[str, Callable[[Knowledge, Visit], Awaitable[Page]]] = {
    "overview": overview.page,
    "funnel": funnel.page,
    "retention": retention.page,
    "service": service.page,
}


class Readable(APIRoute):
    """What goes wrong here is told in a page, not in a document for programs."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def readable(request: Request) -> Response:
            try:
                return await handle(request)
            except sessions.NoSession as error:
                return page(_visit(request), "welcome.html", 401, detail=error.detail)
            except (Refused, RequestValidationError, ViewUnknown) as error:
                described = _described(error)
                return page(_visit(request), "problem.html", described.status, problem=described)

        return readable


router = APIRouter(prefix=sessions.PATH, include_in_schema=False, route_class=Readable)


@dataclass(frozen=True, slots=True)
class Look:
    """A visitor who may see figures, and what of them."""

    visit: Visit
    node: Node


async def _look(request: Request) -> Look:
    node: Node = request.app.state.node
    policy: Policy = request.app.state.policy
    policy.read_scope(sessions.visitor(node, request), "figures")
    return Look(_visit(request), node)


Looker = Annotated[Look, Depends(_look)]


@router.get("/enter")
async def enter(request: Request, ticket: str = "") -> Response:
    """Answers a page rather than a redirection: after a click in a mail the cookie would not go along with one."""
    node: Node = request.app.state.node
    principal = await sessions.redeem(node, ticket)
    response = page(_visit(request), "entered.html")
    sessions.welcome(node, principal, response)
    return response


@router.post("/leave")
async def leave(request: Request) -> Response:
    response = page(_visit(request), "left.html")
    sessions.farewell(request.app.state.node, response)
    return response


@router.get("/static/{name}")
async def static(name: str) -> Response:
    found = static_file(name)
    if found is None:
        raise NotFound("There is no such file.")
    return found


@router.get("")
async def show_overview(look: Looker) -> Response:
    return await _show(look, "overview")


@router.get("/{name}")
async def show(name: str, look: Looker) -> Response:
    return await _show(look, name)


@router.get("/{name}/{table}.csv")
async def download(name: str, table: str, look: Looker) -> Response:
    found = await _page(look, name)
    grid = next((grid for grid in found.grids if grid.name == table), None)
    if grid is None:
        raise NotFound("There is no such table.")
    headers = HEADERS | {"Content-Disposition": f'attachment; filename="{name}-{table}.csv"'}
    return Response(as_csv(grid), headers=headers, media_type="text/csv; charset=utf-8")


async def _show(look: Look, name: str) -> Response:
    found = await _page(look, name)
    return page(look.visit, f"{name}.html", page=found, here=name, **found.context)


async def _page(look: Look, name: str) -> Page:
    if name not in PAGES:
        raise NotFound("There is no such page.")
    async with knowledge(look.node, look.visit.read(PositionQuery)) as known:
        return await PAGES[name](known, look.visit)


def _visit(request: Request) -> Visit:
    return visit(request.app.state.node, request)


def _described(error: Exception) -> Described:
    return invalid(error.errors()) if isinstance(error, RequestValidationError) else describe(error)
