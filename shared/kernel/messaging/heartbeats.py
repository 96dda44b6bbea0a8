"""What the relay tells every partition once a second: that it is complete up to the row's position, and as of when."""

from datetime import datetime

from kernel.messaging.feed import history
from kernel.messaging.outlet import Outlet
from kernel.messaging.progress import Progress
from kernel.messaging.publisher import Heartbeat
from kernel.storage import log as log_
from kernel.storage.database import Connection
from kernel.storage.lease import Lease, LeaseLost

_NEWEST = """
SELECT coalesce(max(position), 0) AS position,
       EXISTS (SELECT FROM leases WHERE name = $1 AND epoch = $2) AS held FROM events
"""


async def beat(
    connection: Connection,
    lease: Lease,
    outlet: Outlet,
    source: str,
    progress: Progress,
    digest: bytes,
    told: datetime | None,
) -> None:
    """`told` is when the last event that was passed on was recorded. The row stays: losing these loses nothing."""
    quiet = await log_.nobody_appends(connection)
    newest = await connection.fetchrow(_NEWEST, lease.name, lease.epoch)
    if not newest["held"]:
        raise LeaseLost(lease.name)
    # Something newer is visible, or on its way: complete only up to the last fact that was passed on.
    at = quiet if quiet is not None and newest["position"] == progress.position else told
    incarnations = await history(connection)
    incarnation = incarnations.named(progress.incarnation)
    current = incarnations.current
    if current is not None and progress.position == newest["position"] == current.from_position:
        # Nothing has happened in it yet, and still whoever is ahead of its beginning must go back to it.
        incarnation = current
    if at is None or incarnation is None:
        return
    last = {number: sent.position for number, sent in progress.partitions.items()}
    beats = [
        Heartbeat(
            source=source,
            incarnation=incarnation.id,
            partition=number,
            position=progress.position,
            previous=max(last.get(number, 0), incarnation.from_position),
            at=at,
            digest=digest,
        )
        for number in range(incarnation.partitions)
    ]
    await outlet.send(beats, progress.partitions)
