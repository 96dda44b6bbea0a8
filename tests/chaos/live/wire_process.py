"""Wires between clients and servers, in a process of its own: told on stdin what to do, in lines of JSON."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterable

CHUNK = 65536
# A reader that does not read holds up only its own wire, and not for ever.
MOST_UNSENT = 1024 * 1024

Opened = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Pair = tuple[asyncio.StreamWriter, asyncio.StreamWriter]
Opener = Callable[[], Awaitable[Opened]]


class Wire:
    """`pass` carries; `delay` carries late; `hold` carries nothing for now; `deaf` carries no answers; `cut` ends and
    refuses; `half` says goodbye to the servers and tells the clients nothing of it.
    """

    def __init__(self, opener: Opener) -> None:
        self._open = opener
        self._mode = "pass"
        self._delay = 0.0
        self._changed = asyncio.Event()
        self._pairs: set[Pair] = set()
        self._dead: set[Pair] = set()

    def set(self, mode: str, delay: float) -> None:
        before, self._mode, self._delay = self._mode, mode, delay
        self._changed.set()
        self._changed = asyncio.Event()
        if mode == "cut":
            abort(self._pairs)
        elif mode == "half":
            self._dead = set(self._pairs)
            for _, server in self._pairs:
                with contextlib.suppress(OSError, RuntimeError):
                    server.write_eof()
        elif before == "half":
            # A connection whose other end has gone is reset as soon as somebody uses it.
            abort(self._dead)
            self._dead = set()

    async def meet(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        if self._mode == "cut":
            client.transport.abort()
            return
        try:
            answers, server = await self._open()
        except OSError:
            client.transport.abort()
            return
        pair = (client, server)
        self._pairs.add(pair)
        try:
            await asyncio.gather(
                self._pump(reader, server, pair, back=False), self._pump(answers, client, pair, back=True)
            )
        finally:
            self._pairs.discard(pair)
            abort([pair])

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        pair: Pair,
        *,
        back: bool,
    ) -> None:
        try:
            while data := await reader.read(CHUNK):
                await self._passage(back)
                writer.write(data)
                if writer.transport.get_write_buffer_size() > MOST_UNSENT:
                    await writer.drain()
        except (OSError, RuntimeError):
            abort([pair])
            return
        while pair in self._dead:
            await self._changed.wait()
        if back:
            abort([pair], gently=True)
        elif not writer.is_closing():
            with contextlib.suppress(OSError, RuntimeError):
                writer.write_eof()

    async def _passage(self, back: bool) -> None:
        while self._mode == "hold" or (self._mode == "deaf" and back):
            await self._changed.wait()
        if self._mode == "delay":
            await asyncio.sleep(self._delay)


def abort(
    pairs: Iterable[Pair],
    *,
    gently: bool = False,
) -> None:
    for pair in list(pairs):
        for writer in pair:
            if gently:
                writer.close()
            elif not writer.is_closing() or writer.transport.get_write_buffer_size():
                writer.transport.abort()  # of one that has ended already it would raise


def opener(address: str) -> Opener:
    host, _, port = address.rpartition(":")
    if host:
        return lambda: asyncio.open_connection(host, int(port))
    return lambda: asyncio.open_unix_connection(address)


async def serve() -> None:
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    wires: dict[str, Wire] = {}
    while line := await lines.readline():
        said = json.loads(line)
        if "to" in said:
            wire = wires[said["name"]] = Wire(opener(said["to"]))
            host, _, port = said["at"].rpartition(":")
            if host:
                await asyncio.start_server(wire.meet, host, int(port))
            else:
                await asyncio.start_unix_server(wire.meet, said["at"])
        else:
            wires[said["name"]].set(said["mode"], said.get("delay", 0.0))
        sys.stdout.write("done\n")
        sys.stdout.flush()
    # Not an orderly end of each connection: nobody needs them any more.
    os._exit(0)


if __name__ == "__main__":
    # Ctrl-C is for the harness, which closes our stdin when it is done.
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())
