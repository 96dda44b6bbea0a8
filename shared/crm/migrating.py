"""`crm migrate`: which databases are meant, and where their server is."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

from kernel.runtime.embedded import EmbeddedPostgres
from kernel.storage import migrations
from sqlalchemy.exc import SQLAlchemyError

from crm import databases, services
from crm.failures import Failure
from crm.local import Local


def migrate(service: str | None, folder: Path | None) -> Sequence[str]:
    named = os.environ.get("CRM_DATABASE_URL")
    names = [services.known(service)] if service else services.installed()
    if named and service:
        asyncio.run(upgrade(named, names[0]))
        return names
    if named:
        upgrade_all(named, names)
        return names
    local = Local(folder)
    server = EmbeddedPostgres(local.postgres)
    if local.is_held():
        upgrade_all(server.dsn("postgres"), names)
    else:
        with local.held(), server:
            upgrade_all(server.dsn("postgres"), names)
    return names


def upgrade_all(server: str, names: Sequence[str]) -> None:
    async def one_after_the_other() -> None:
        await databases.make(server, names)
        for name in names:
            await upgrade(databases.of_service(server, name), name)

    asyncio.run(one_after_the_other())


async def upgrade(url: str, name: str) -> None:
    service = services.load(name).service
    await databases.check(url)
    try:
        await migrations.upgrade(url, service.package, service.known_views, service.published_types)
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise Failure(f"The database of {name} was not migrated: {reason}.") from None
