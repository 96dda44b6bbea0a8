"""What can go wrong around a commit: whose fault it is, and what the one who waits is told."""

import asyncio
from typing import Any

import asyncpg

# Where nobody is at fault: the connection, the transaction's state, resources, an operator, the server, a failover.
_PASSING = frozenset(("08", "25", "40", "53", "55", "57", "58", "0A"))


class Unavailable(Exception):
    """Nothing was done; send it again later."""

    code = "UNAVAILABLE"


class Overloaded(Unavailable):
    """More is waiting than this process takes on."""

    code = "OVERLOADED"


class OutcomeUnknown(Exception):
    """It may have been done: the same key sent again tells, and does it at most once."""

    code = "OUTCOME_UNKNOWN"


def passing(error: Exception) -> bool:
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "")[:2] in _PASSING
    if isinstance(error, ValueError):
        return False  # a value that the driver cannot send is the command's fault
    return isinstance(error, OSError | TimeoutError | asyncpg.InterfaceError | asyncpg.InternalClientError)


def settle(future: "asyncio.Future[Any]", outcome: Any) -> None:
    if future.done():
        return  # whoever waited has left
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
        # Whoever waited may be gone; the loop must not call that a forgotten exception.
        future.exception()
    else:
        future.set_result(outcome)
