"""The migrations of a service make what its code declares: the same tables, to the last default and storage setting."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from kernel.messaging.service import Service
from kernel.runtime.embedded import EmbeddedPostgres
from kernel.storage.migrations import upgrade
from kernel.testing.servers import fresh_database
from sqlalchemy import Column, Connection, Integer, MetaData, Table, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

PACKAGES = ("contacts", "opportunities", "service_desk", "analytics")

# In names and words, without the order of columns: a column that is added later comes last.
_CATALOG = """
SELECT format('%s %s %s %s %s %s', c.oid::regclass, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
              a.attidentity, pg_get_expr(d.adbin, d.adrelid))
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
UNION SELECT pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class c ON c.oid = indrelid
WHERE c.relnamespace = 'public'::regnamespace
UNION SELECT format('%s %s', conname, pg_get_constraintdef(oid)) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND conrelid <> 0
UNION SELECT format('%s %s', oid::regclass, reloptions) FROM pg_class
WHERE relkind IN ('r', 'i') AND relnamespace = 'public'::regnamespace
"""


def service_of(package: str) -> Service:
    service: Service = import_module(f"{package}.app").service
    return service


@pytest.mark.parametrize("package", PACKAGES)
async def test_migrations_leave_nothing_to_do(postgres_server: EmbeddedPostgres, package: str) -> None:
    service = service_of(package)
    async with connected(await migrated(postgres_server, service)) as connection:
        assert await connection.run_sync(differences, service.metadata) == []


@pytest.mark.parametrize("package", PACKAGES)
async def test_a_migrated_database_is_one_that_was_made_at_once(
    postgres_server: EmbeddedPostgres, package: str
) -> None:
    service = service_of(package)
    at_once = postgres_server.url(fresh_database(postgres_server))
    async with connected(at_once) as connection:
        await connection.run_sync(service.metadata.create_all)
        await connection.commit()
    assert await catalog(await migrated(postgres_server, service)) == await catalog(at_once)


async def test_a_column_that_no_migration_adds_is_noticed(postgres_server: EmbeddedPostgres) -> None:
    service, declared = service_of("contacts"), MetaData(naming_convention={})
    for table in service.metadata.tables.values():
        table.to_metadata(declared)
    Table("streams", declared, Column("forgotten", Integer), extend_existing=True)
    async with connected(await migrated(postgres_server, service)) as connection:
        (missing,) = await connection.run_sync(differences, declared)
    assert (missing[0], missing[3].name) == ("add_column", "forgotten")


def differences(connection: Connection, declared: MetaData) -> list[Any]:
    options = {"compare_type": True, "compare_server_default": True}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), declared))


async def migrated(server: EmbeddedPostgres, service: Service) -> str:
    url = server.url(fresh_database(server))
    await upgrade(url, service.package, service.known_views, service.published_types)
    return url


async def catalog(url: str) -> set[str]:
    async with connected(url) as connection:
        return {line for line in await connection.scalars(text(_CATALOG)) if "alembic_version" not in line}


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[AsyncConnection]:
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()
