"""HTTP as lean as it goes: bytes out, status and headers in, over few connections that stay open.

Whoever is refused a connection tries again; whoever's connection was closed before an answer came does too, under the
same key, and thereby learns whether the first request was carried out: then it should have been answered.
"""

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from typing import cast

CONNECTIONS = 48
PAUSE = 0.02
_END = b"\r\n\r\n"


class Cut(Exception):
    """The connection was closed; `begun`: in the middle of an answer."""

    def __init__(self, begun: bool) -> None:
        super().__init__("in the middle of an answer" if begun else "before an answer")
        self.begun = begun


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    head: bytes
    body: bytes

    @property
    def replayed(self) -> bool:
        return b"\r\nidempotency-replayed: true" in self.head.lower()


@dataclass(slots=True)
class Troubles:
    """What connections went through. Only `unanswered` and `halves` are faults of a server that restarts."""

    refused: int = 0
    cut: int = 0
    unanswered: int = 0
    halves: int = 0

    @property
    def any(self) -> bool:
        return bool(self.refused or self.cut or self.unanswered or self.halves)


class Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self.open = True
        self._transport: asyncio.Transport
        self._received = b""
        self._answer: asyncio.Future[Answer] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, _: Exception | None) -> None:
        self.open = False
        if self._answer and not self._answer.done():
            self._answer.set_exception(Cut(bool(self._received)))

    def data_received(self, data: bytes) -> None:
        received = self._received = self._received + data if self._received else data
        end = received.find(_END)
        if end < 0 or self._answer is None:
            return
        head = received[:end]
        at = head.lower().find(b"\r\ncontent-length:")
        if at < 0:
            self._answer.set_exception(ValueError(f"an answer without a length: {head!r}"))
            self.close()
            return
        length = int(head[at + 17 :].split(b"\r\n", 1)[0])
        if len(received) < end + 4 + length:
            return
        answer = Answer(int(received[9:12]), head, received[end + 4 :])
        self._received = b""
        if b"\r\nconnection: close" in head.lower():
            self.close()
        self._answer.set_result(answer)

    async def ask(self, request: bytes) -> Answer:
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            return await self._answer
        finally:
            self._answer = None

    def close(self) -> None:
        self.open = False
        self._transport.close()


@dataclass(slots=True)
class Client:
    """For one service; who finds no connection free waits in line, and his time runs."""

    port: int
    troubles: Troubles = field(default_factory=Troubles)
    _free: list[Connection] = field(default_factory=list)
    _made: int = 0
    _waiting: deque[asyncio.Future[None]] = field(default_factory=deque)

    async def open(self) -> None:
        """All connections, so that their number stays the same from now on."""
        held = [await self._connection() for _ in range(CONNECTIONS)]
        for connection in held:
            self._give_back(connection)

    async def ask(self, request: bytes, patience: float) -> Answer:
        """Raises `TimeoutError` when nothing was answered in time."""
        deadline, cut = time.monotonic() + patience, False
        while True:
            async with asyncio.timeout(deadline - time.monotonic()):
                connection = await self._connection()
                try:
                    answer = await connection.ask(request)
                except Cut as error:
                    cut = True
                    self.troubles.cut += 1
                    self.troubles.halves += error.begun
                    answer = None
                except BaseException:
                    connection.close()
                    raise
                finally:
                    self._give_back(connection)
            if answer:
                self.troubles.unanswered += cut and answer.replayed
                return answer

    def close(self) -> None:
        for connection in self._free:
            connection.close()

    async def _connection(self) -> Connection:
        while True:
            while self._free:
                connection = self._free.pop()
                if connection.open:
                    return connection
                self._made -= 1
            if self._made < CONNECTIONS:
                self._made += 1
                return await self._connected()
            waiting = asyncio.get_running_loop().create_future()
            self._waiting.append(waiting)
            await waiting

    async def _connected(self) -> Connection:
        loop = asyncio.get_running_loop()
        try:
            while True:
                try:
                    return (await loop.create_connection(Connection, "127.0.0.1", self.port))[1]
                except ConnectionError:
                    self.troubles.refused += 1
                    await asyncio.sleep(PAUSE)
        except BaseException:
            self._made -= 1
            self._wake()
            raise

    def _give_back(self, connection: Connection) -> None:
        if connection.open:
            self._free.append(connection)
        else:
            self._made -= 1
        self._wake()

    def _wake(self) -> None:
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(None)
                return
