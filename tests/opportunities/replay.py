"""A view's row as the table has it, and as the log alone would make it."""

from uuid import UUID

from fastapi import FastAPI
from kernel.storage.aggregate import AnyAggregate
from kernel.storage.loading import Loader
from kernel.storage.views import Row


async def kept(app: FastAPI, aggregate: AnyAggregate, id: str) -> Row | None:
    [view] = aggregate.views
    async with app.state.node.database.reading() as connection:
        rows = await view.statements.load(connection, f"{view.name}_{view.shape}", [UUID(id)])
    return rows[UUID(id)]


async def replayed(app: FastAPI, aggregate: AnyAggregate, id: str) -> Row | None:
    [view] = aggregate.views
    rows: dict[UUID, Row | None] = {}
    async with app.state.node.database.reading() as connection:
        loader = Loader(connection, app.state.node.catalog)
        await loader.load([UUID(id)], await loader.heads([UUID(id)]))
    stream = loader.known.streams[UUID(id)]
    view.project_all(rows, stream.facts if stream else ())
    return rows[UUID(id)]
