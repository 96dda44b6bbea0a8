"""A wire between a client and PostgreSQL that is cut at a chosen moment of the conversation."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

from kernel.storage.database import Database

# asyncpg sends a statement without arguments as a simple query.
COMMIT = b"COMMIT\x00"


class Wire:
    """`before`: the message that is never delivered; `after`: the one whose answer never comes back."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self.before: bytes | None = None
        self.after: bytes | None = None
        self.cuts = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_unix_connection(str(self._socket))
        answering = asyncio.create_task(self._pump(from_server, writer))
        self._tasks.add(answering)
        try:
            await self._forward(reader, to_server, from_server, answering)
        except ConnectionError:
            pass
        finally:
            answering.cancel()
            self._tasks.discard(answering)
            writer.close()
            to_server.close()

    async def _forward(
        self,
        reader: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
        from_server: asyncio.StreamReader,
        answering: "asyncio.Task[None]",
    ) -> None:
        while data := await reader.read(65536):
            if self.before and self.before in data:
                self.before, self.cuts = None, self.cuts + 1
                return
            if self.after and self.after in data:
                self.after, self.cuts = None, self.cuts + 1
                answering.cancel()
                with suppress(asyncio.CancelledError):
                    await answering
                to_server.write(data)
                await to_server.drain()
                # The server has done it when it has said so, to nobody.
                await from_server.read(1)
                return
            to_server.write(data)
            await to_server.drain()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def wired(dsn: str, folder: Path) -> AsyncIterator[tuple[Wire, Database]]:
    """A database that is reached through the wire only."""
    parts = urlsplit(dsn)
    said = parse_qs(parts.query)
    name = f".s.PGSQL.{said['port'][0]}"
    wire = Wire(Path(said["host"][0]) / name)
    server = await asyncio.start_unix_server(wire.meet, str(folder / name))
    database = Database(
        f"postgresql://postgres@{parts.path}?host={quote(str(folder))}&port={said['port'][0]}"
    )
    try:
        yield wire, database
    finally:
        server.close()
        await database.close()
