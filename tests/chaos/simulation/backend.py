"""One connection as the server has it: its transaction, and what becomes of that when the client is gone."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.chaos.simulation.process import Process
from tests.chaos.simulation.store import Transaction

if TYPE_CHECKING:
    from tests.chaos.simulation.server import Server


class Backend:
    def __init__(self, server: "Server", process: Process, break_client: Callable[[Exception], None]) -> None:
        self._server = server
        self._break_client = break_client
        self.process = process
        self.transaction: Transaction | None = None
        self.gone = False
        self.busy = False
        self.committing = False
        # It believes that it is sending an answer which nobody reads.
        self.stuck = False
        self.idle_since = server.loop.time()
        server.backends.append(self)

    def begin(self) -> Transaction:
        if self.transaction is None:
            self.transaction = self._server.store.begin()
        return self.transaction

    def commit(self, then: Callable[[str], None], delay: float, linger: float = 0.0) -> None:
        """Durable and visible first, and only then are the locks released and is the client told."""
        self.committing = True
        self._server.loop.outside(delay, self._commit, then, linger)

    def _commit(self, then: Callable[[str], None], linger: float) -> None:
        if not self.committing:
            return
        self.become_durable()
        if linger:
            self._server.loop.outside(linger, self._committed, then)
        else:
            self._committed(then)

    def become_durable(self) -> None:
        if self.transaction:
            self._server.store.make_visible(self.transaction)

    def _committed(self, then: Callable[[str], None]) -> None:
        if not self.committing:
            return
        self.committing = False
        self.rollback()
        if self.gone:
            self._forget()
        else:
            then("COMMIT")

    def rollback(self) -> None:
        transaction, self.transaction = self.transaction, None
        if transaction:
            transaction.changes = {}
            self._server.store.release(transaction)

    def client_left(self) -> None:
        """Noticed a moment later: what was on its way by then is still carried out."""
        self._server.loop.outside(self._server.chance.random() * 0.02, self._notice)

    def _notice(self) -> None:
        self.gone = True
        if not self.committing:
            self.rollback()
            self._forget()

    def end(self, error: Exception) -> None:
        """The server ends it: undone, and the client finds out."""
        self.committing = False
        self.gone = True
        self.rollback()
        self._forget()
        self._break_client(error)

    def _forget(self) -> None:
        if self in self._server.backends:
            self._server.backends.remove(self)
