"""The services' databases: their addresses, whether they answer, and making those that are missing."""

from collections.abc import Sequence

import asyncpg
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from crm import services
from crm.failures import Failure

_UNREACHABLE = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError)


def of_service(server: str, name: str) -> str:
    """The address of a service's database on a server whose address names any database."""
    return parsed(server, f"crm_{services.package_of(name)}")


def parsed(url: str, database: str | None = None) -> str:
    try:
        address = make_url(url).set(drivername="postgresql")
    except ArgumentError:
        raise Failure("CRM_DATABASE_URL has the form postgresql://user:password@host/database.") from None
    return (address.set(database=database) if database else address).render_as_string(hide_password=False)


async def connect(url: str) -> asyncpg.Connection:
    try:
        return await asyncpg.connect(parsed(url), timeout=5)
    except _UNREACHABLE as error:
        reason = str(error).strip().rstrip(".") or "no answer in time"
        shown = make_url(url).render_as_string()
        raise Failure(f"The database {shown} cannot be reached: {reason}.") from None


async def check(url: str) -> None:
    await (await connect(url)).close()


async def make(server: str, names: Sequence[str]) -> None:
    """Makes those that are missing."""
    connection = await connect(server)
    try:
        there = {row[0] for row in await connection.fetch("SELECT datname FROM pg_database")}
        for name in names:
            database = f"crm_{services.package_of(name)}"
            if database not in there:
                await connection.execute(f'CREATE DATABASE "{database}" TEMPLATE template0')
    except asyncpg.PostgresError as error:
        raise Failure(f"The databases could not be made: {error}.") from None
    finally:
        await connection.close()
