"""Tasks of the harness that are told to end, until they have."""

import asyncio
from typing import Any

# Longer than a client of the broker takes to end.
_AGAIN_AFTER = 3.0


async def end(*tasks: "asyncio.Task[Any]", again_after: float = _AGAIN_AFTER) -> list[Exception]:
    """What they failed with. A cancellation is lost on whoever meets it together with an error of his own."""
    running = set(tasks)
    while running:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=again_after)
    errors = [task.exception() for task in tasks if not task.cancelled()]
    return [error for error in errors if isinstance(error, Exception)]
