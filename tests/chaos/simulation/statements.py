"""What the model understands: the kernel's own statements, each by its text, and nothing else."""

from collections.abc import Callable, Sequence
from typing import Any

from tests.chaos.simulation.server import Handler, Request, Server, UnknownStatement
from tests.chaos.simulation.store import Row, Transaction

_LEARNT: dict[str, Handler] = {}


class Statements(dict[str, Handler]):
    """By their text, whatever its line breaks."""

    def __missing__(self, text: str) -> Handler:
        handler = _LEARNT.get(" ".join(text.split()))
        if handler is None:
            raise UnknownStatement(text)
        self[text] = handler
        return handler


STATEMENTS = Statements()


def on(*texts: str) -> Callable[[Handler], Handler]:
    """The decorated function does what these statements say, in the transaction that is its first argument."""

    def register(handler: Handler) -> Handler:
        for text in texts:
            _LEARNT[" ".join(text.split())] = handler
        return handler

    return register


def of_backend(*texts: str) -> Callable[[Handler], Handler]:
    """For statements about the transaction itself. None is answered by those that answer later."""

    def register(handler: Handler) -> Handler:
        handler.of_backend = True  # type: ignore[attr-defined]
        return on(*texts)(handler)

    return register


def columns(names: str, *values: Sequence[Any]) -> list[dict[str, Any]]:
    """`unnest`: columns side by side, as rows."""
    said = names.split()
    return [dict(zip(said, row, strict=True)) for row in zip(*values, strict=True)]


def picked(names: str, rows: Sequence[Row]) -> list[Row]:
    said = names.split()
    return [{name: row[name] for name in said} for row in rows]


@of_backend("BEGIN")
def begin(_: Server, request: Request) -> int:
    request.backend.begin()
    return 0


@of_backend("COMMIT")
def commit(server: Server, request: Request) -> int | None:
    backend = request.backend
    transaction = backend.transaction
    if transaction is None or transaction.failed or not transaction.changes:
        backend.rollback()
        return 0
    chance = server.chance.random
    linger = chance() * 0.01 if chance() < 0.1 else 0.0
    backend.commit(lambda _: server.reply(request, 0), chance() * 0.004, linger)
    return None


@of_backend("ROLLBACK")
def rollback(_: Server, request: Request) -> int:
    request.backend.rollback()
    return 0


def _of_savepoint(name: str) -> None:
    @on(f"SAVEPOINT {name}")
    def savepoint(tx: Transaction) -> int:
        tx.savepoint(name)
        return 0

    @on(f"RELEASE SAVEPOINT {name}")
    def release(tx: Transaction) -> int:
        tx.release(name)
        return 0

    @of_backend(f"ROLLBACK TO SAVEPOINT {name}")
    def rollback_to(_: Server, request: Request) -> int:
        if request.backend.transaction:
            request.backend.transaction.rollback_to(name)
        return 0


for _name in ("view", "unpark", "refold"):
    _of_savepoint(_name)


@on(
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL transaction_timeout = 0",
    "SET LOCAL idle_in_transaction_session_timeout = '30s'",
)
def setting(_: Transaction) -> int:
    return 0
