"""What nothing costs a reader: a bare FastAPI app that answers with what it holds, under a service's response model."""

import sys
from importlib import import_module
from pathlib import Path

from fastapi import FastAPI

from tests.bench.echo import serve


def create(module: str, operation: str, answer: str) -> FastAPI:
    """`answer` is a file with what the service's operation has answered."""
    routes = import_module(module).router.routes
    Model = next(route.response_model for route in routes if route.operation_id == operation)
    held = Model.model_validate_json(Path(answer).read_bytes())
    app = FastAPI()

    @app.get("/", response_model=Model)
    async def echo() -> object:
        return held

    @app.get("/readyz")
    async def ready() -> str:
        return "ok"

    return app


if __name__ == "__main__":
    serve(create(*sys.argv[2:]), sys.argv[1])
