"""All of a service's `env.py`, and what follows a migration: views and published types are made known."""

import asyncio
import re
from collections.abc import Sequence
from typing import Any

from alembic import command, context
from alembic.config import Config
from sqlalchemy import Connection as SyncConnection
from sqlalchemy import MetaData, make_url, pool, text
from sqlalchemy.ext.asyncio import create_async_engine

from kernel.storage.log import DEFAULT_PARTITIONS, LOG_LOCK
from kernel.storage.views import KnownView

_VERSIONED = re.compile(r"_\d+$")
_KNOW = """
INSERT INTO views (name, version, shape, live, epoch)
VALUES (:name, :version, :shape, NOT EXISTS (SELECT FROM views WHERE name = :name AND live), 1)
ON CONFLICT (name, version) DO NOTHING
"""

# Before the first process writes, so that nothing is written that a type starts too late for.
_PUBLISH = """
INSERT INTO published_types (type, from_position) VALUES (:type, (SELECT coalesce(max(position), 0) FROM events))
ON CONFLICT (type) DO NOTHING
"""

# The first incarnation begins with the empty log, so that even an empty one can be told of as complete.
_BEGIN = f"""
INSERT INTO incarnations (id, from_position, partitions, system_identifier, timeline)
SELECT gen_random_uuid(), 0, {DEFAULT_PARTITIONS}, (SELECT system_identifier FROM pg_control_system()),
       ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int
WHERE NOT EXISTS (SELECT FROM incarnations) AND NOT EXISTS (SELECT FROM events)
"""


def run(metadata: MetaData) -> None:
    """Called by `env.py`; the connection or the URL comes from whoever runs the migration."""
    connection = context.config.attributes.get("connection")
    if connection is not None:
        _run(connection, metadata)
        return
    url = (
        context.config.get_main_option("sqlalchemy.url") or context.get_x_argument(as_dictionary=True)["url"]
    )
    if context.is_offline_mode():
        context.configure(url=url, target_metadata=metadata, literal_binds=True, dialect_name="postgresql")
        with context.begin_transaction():
            context.run_migrations()
        return
    asyncio.run(_connect_and_run(url, metadata))


async def _connect_and_run(url: str, metadata: MetaData) -> None:
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"), poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(_run, metadata)


def _run(connection: SyncConnection, metadata: MetaData) -> None:
    """Under the log's lock: no command is half done while a table that it writes changes."""

    def include(thing: Any, name: str | None, kind: str, reflected: bool, compared: object) -> bool:
        made_by_rebuild = reflected and compared is None and kind == "table" and _VERSIONED.search(name or "")
        return not made_by_rebuild

    context.configure(
        connection=connection, target_metadata=metadata, include_object=include, compare_type=True
    )
    with context.begin_transaction():
        connection.execute(text("SET LOCAL lock_timeout = '5s'"))
        connection.execute(text(f"SELECT pg_advisory_xact_lock({LOG_LOCK})"))
        context.run_migrations()


async def upgrade(url: str, package: str, views: Sequence[KnownView], published: Sequence[str] = ()) -> None:
    """Brings a database to the newest schema of `package`, and makes its views and published types known."""
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"), poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(_upgrade, package, views)
        await connection.execute(text(_BEGIN))
        for name in published:
            await connection.execute(text(_PUBLISH), {"type": name})
        await connection.commit()
    await engine.dispose()


def _upgrade(connection: SyncConnection, package: str, views: Sequence[KnownView]) -> None:
    config = Config()
    config.set_main_option("script_location", f"{package}:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    know_views(connection, views)


def know_views(connection: SyncConnection, views: Sequence[KnownView]) -> None:
    for view in views:
        connection.execute(
            text(_KNOW),
            {"name": view.name, "version": view.shape, "shape": view.shape},
        )
