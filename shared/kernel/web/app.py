"""`create_app`: every router, handler and middleware of a service's API, in one readable place."""

import asyncio
import gc
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from kernel.messaging.service import Node
from kernel.runtime.settings import Role
from kernel.web import batch, feed, health, problem_pages
from kernel.web.auth import Authenticator
from kernel.web.commands import Operation
from kernel.web.cors import Browsers
from kernel.web.dispatch import Operations
from kernel.web.faults import described
from kernel.web.middleware import Surroundings
from kernel.web.policy import Policy
from kernel.web.reads import Read
from kernel.web.requests import Trace

# A few milliseconds of work, in seconds.
_SWEEP_EVERY = 60.0


class App(FastAPI):
    """The framework, with what stands around every request in front of it: its own layers are for its routes."""

    front: ASGIApp
    operations: Mapping[str, Operation]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self
        await self.front(scope, receive, send)

    def build_middleware_stack(self) -> ASGIApp:
        """Without the outermost layer, which answers a failure and raises it again: `Surroundings` answers once."""
        stack = super().build_middleware_stack()
        if not isinstance(stack, ServerErrorMiddleware):
            raise TypeError("the framework's outermost layer is not the one that is taken off here")
        return stack.app

    async def framework(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__(scope, receive, send)


def create_app(
    node: Node,
    policy: Policy,
    *,
    title: str,
    routers: Sequence[APIRouter],
    operations: Sequence[Operation] = (),
    reads: Sequence[Read] = (),
    beside: Sequence[AbstractAsyncContextManager[Any]] = (),
) -> App:
    """`beside` runs as long as the API does: the worker, when both are one process."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        node.committer.start()
        async with AsyncExitStack() as stack:
            stack.push_async_callback(node.close)
            for part in beside:
                await stack.enter_async_context(part)
            # What start-up made stays for ever: the collector need not look at it again and again.
            gc.collect()
            gc.freeze()
            # A batch makes a hundred thousand objects and hardly a cycle; looking every 700 costs a tenth of its time.
            gc.set_threshold(20_000, 20, 20)
            sweeping = asyncio.create_task(_sweep())
            yield
            sweeping.cancel()
            node.drain()

    app = App(title=title, version="1", lifespan=lifespan, docs_url="/docs", redoc_url=None)
    if node.settings.role is Role.WORKER:
        # A worker answers probes and its feed, and takes no commands.
        routers, operations, reads = (), (), ()
    app.state.node = node
    app.state.policy = policy
    more = (batch.router,) if operations else ()
    for router in (*routers, *more, feed.router, health.router, problem_pages.router):
        # Not `include_router`: a tree of routers is searched anew for every request.
        app.router.routes.extend(router.routes)
    for kind in (HTTPException, RequestValidationError):
        # The framework would answer these itself; all others reach `Surroundings`.
        app.add_exception_handler(kind, _on_error)
    app.operations = {operation.id: operation for operation in operations}
    app.front = Surroundings(
        Operations(app.framework, app.operations, reads, feed.Feed(node)), Authenticator(node.settings)
    )
    origins = [origin.strip() for origin in node.settings.cors_origins.split(",") if origin.strip()]
    if origins:
        app.front = Browsers(app.front, origins)
    return app


async def _sweep() -> None:
    """A whole collection empties the interpreter's lists of free tuples too, which fill for hours: some megabytes."""
    while True:
        await asyncio.sleep(_SWEEP_EVERY)
        gc.collect()


async def _on_error(request: Request, error: Exception) -> Response:
    trace: Trace = request.scope["crm.trace"]
    response = described(error).response(
        instance=request.url.path, request_id=trace.request_id, trace_id=trace.trace_id
    )
    if isinstance(error, HTTPException) and error.headers:
        response.headers.update(error.headers)
    return response
