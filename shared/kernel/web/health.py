"""Probes and metrics: `/livez` asks nobody, `/readyz` asks what the process needs, `/metrics` is for Prometheus."""

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text
from starlette.responses import JSONResponse, Response

from kernel.messaging.erasures import ErasuresUnknown, brought_back, list_of
from kernel.messaging.service import Node

router = APIRouter(include_in_schema=False)


@router.get("/livez")
async def livez() -> Response:
    return Response("ok", media_type="text/plain")


@router.get("/readyz")
async def readyz(request: Request) -> Response:
    """200 when every check is ok, else 503; the body names each check."""
    node: Node = request.app.state.node
    checks = {
        "drain": "stopping" if node.draining else "ok",
        **{name: check() for name, check in node.checks.items()},
    }
    try:
        async with node.database.engine.connect() as connection:
            found = await connection.execute(text("SELECT name, shape FROM views WHERE live"))
        checks["database"] = "ok"
        checks["schema"] = _schema(node, {name: shape for name, shape in found})
        checks["erasures"] = await _erasures(node)
    except Exception as error:
        checks["database"] = type(error).__name__
    ready = all(result == "ok" for result in checks.values())
    return JSONResponse({"ready": ready, "checks": checks}, 200 if ready else 503)


@router.get("/metrics")
async def metrics() -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def _schema(node: Node, live: dict[str, int]) -> str:
    """A process serves only views of a shape that it knows."""
    other = [view.name for view in node.service.known_views if live.get(view.name) != view.shape]
    return f"not in this release's shape: {', '.join(other)}" if other else "ok"


async def _erasures(node: Node) -> str:
    """A restore must not bring anyone back; until it is set right, nobody is served."""
    if node.settings.erasures_file is None:
        return "ok"
    async with node.database.reading() as connection:
        try:
            again = await brought_back(connection, list_of(node.settings))
        except ErasuresUnknown as error:
            return str(error)
    return f"{len(again)} erased persons are back: run `crm restored`" if again else "ok"
