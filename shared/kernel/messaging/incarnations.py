"""Another history of a log, begun on purpose: after a restore, with other partitions, where a topic knows better."""

from uuid import UUID

from kernel.storage import log as log_
from kernel.storage.database import Connection

_SERVER = "SELECT partitions, system_identifier, timeline FROM incarnations WHERE id = $1"


async def start_incarnation(connection: Connection, partitions: int | None = None) -> UUID:
    """Under the log's lock; from here on the log's positions belong to the new incarnation."""
    await log_.begin(connection)
    head = await log_.head(connection)
    row = await connection.fetchrow(_SERVER, head.incarnation)
    server = (row["system_identifier"], row["timeline"])
    incarnation = await log_.new_incarnation(
        connection, head.position, partitions or row["partitions"], server
    )
    await connection.execute("COMMIT")
    return incarnation
