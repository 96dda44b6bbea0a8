"""One service as a process: API and worker, until a signal ends it."""

import asyncio
import gc
from types import FrameType

import uvicorn
from fastapi import FastAPI
from kernel.messaging.service import Node
from kernel.runtime.logs import configure_logs
from kernel.runtime.settings import ServiceSettings

from crm import answering, configuration, databases, ports, services

GRACE = 20
# Longer than clients keep an idle connection, so that it is they who close it.
KEEP_ALIVE = 75


class Server(uvicorn.Server):
    """Tells the node of the coming end at once: it turns unready, and whoever waits for news is answered."""

    def __init__(self, config: uvicorn.Config, node: Node) -> None:
        super().__init__(config)
        self._node = node

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._node.drain()
        super().handle_exit(sig, frame)
        # An end that was asked for is a success; uvicorn would raise the signal again.
        self._captured_signals.clear()


def serve(name: str, host: str, port: int) -> None:
    name = services.known(name)
    settings = configuration.load()
    # Before anything slow, so that a port in use is known at once.
    with ports.listen(host, port) as listener:
        app = make_app(name, settings)
        config = uvicorn.Config(
            app,
            http=answering.Protocol,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="on",
            # Nothing here asks who called from where.
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=GRACE,
        )
        try:
            Server(config, app.state.node).run(sockets=[listener])
        except OSError as error:
            # Another process has bound it at the same time and listened first.
            raise ports.unusable(host, port, error) from None


def make_app(name: str, settings: ServiceSettings) -> FastAPI:
    # Nothing of what is loaded now is ever garbage: looking for it would take a tenth of the start.
    gc.disable()
    try:
        loaded = services.load(name)
        asyncio.run(databases.check(settings.database_url))
        configure_logs(name, settings.log_level)
        app = loaded.create(settings)
        gc.freeze()
        return app
    finally:
        gc.enable()
