"""Whoever has stopped while holding the log's lock, or one its holder waits for, is cut off by those who wait."""

import asyncio

import asyncpg
import structlog

from kernel.storage.database import Database
from kernel.storage.log import ERASING_LOCK, LOG_LOCK

log = structlog.get_logger()

WATCH_AFTER = 2.0
# Timeouts of the server do not cut a holder whose process stopped while it receives a result or sends a
# statement. Such a backend waits for its client; one that is in COMMIT never does, so it is never cut.
_CUT = f"""
SELECT holder.pid, holder.application_name, pg_terminate_backend(holder.pid)
FROM pg_locks AS held JOIN pg_stat_activity AS holder ON holder.pid = held.pid
WHERE held.locktype = 'advisory' AND held.granted
  AND held.classid = 0 AND held.objid IN ({LOG_LOCK}, {ERASING_LOCK}) AND held.objsubid = 1
  AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND holder.xact_start < clock_timestamp() - interval '3 seconds'
  AND holder.wait_event_type = 'Client' AND holder.wait_event IN ('ClientRead', 'ClientWrite')
"""


async def cut_off_stopped_holder(database: Database) -> None:
    """Looks once a second, for as long as it is not cancelled and the database answers."""
    try:
        async with database.driver() as connection:
            while True:
                for row in await connection.fetch(_CUT):
                    log.warning(
                        "log_lock_holder_cut_off", pid=row["pid"], application=row["application_name"]
                    )
                await asyncio.sleep(1)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        log.warning("log_lock_watch_failed", error=repr(error))
