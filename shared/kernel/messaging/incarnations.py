"""Another history of a log, begun on purpose: after a restore, with other partitions, where a topic knows better."""

from uuid import UUID

from kernel.storage import log as log_
from kernel.storage.database import Connection

_CURRENT = "SELECT partitions, system_identifier, timeline, from_position FROM incarnations WHERE id = $1"


async def start_incarnation(
    connection: Connection, *, partitions: int | None = None, after: int | None = None
) -> UUID:
    """Under the log's lock: positions above `after` (the log's head, if not said) belong to the new incarnation."""
    await log_.begin(connection)
    head = await log_.head(connection)
    row = await connection.fetchrow(_CURRENT, head.incarnation)
    server = (row["system_identifier"], row["timeline"])
    begins = head.position if after is None else max(after, row["from_position"])
    incarnation = await log_.new_incarnation(connection, begins, partitions or row["partitions"], server)
    await connection.execute("COMMIT")
    return incarnation
