"""What nothing costs: a bare FastAPI app that takes a service's registration body and gives it back."""

import sys
from importlib import import_module

import uvicorn
from crm.ports import listen
from crm.serve import KEEP_ALIVE
from fastapi import FastAPI


def create(module: str, model: str) -> FastAPI:
    Body = getattr(import_module(module), model)
    app = FastAPI()

    @app.post("/", status_code=201, response_model=Body)
    async def echo(body: Body) -> object:  # type: ignore[valid-type]
        return body

    @app.get("/readyz")
    async def ready() -> str:
        return "ok"

    return app


def serve(app: FastAPI, port: str) -> None:
    """With the flags of `crm serve`."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE,
    )
    uvicorn.Server(config).run(sockets=[listen("127.0.0.1", int(port))])


if __name__ == "__main__":
    serve(create(*sys.argv[2:]), sys.argv[1])
