"""All that one service's committer must know: its aggregates, their views, its keys."""

from collections.abc import Sequence
from dataclasses import dataclass

from kernel.storage.aggregate import AnyAggregate
from kernel.storage.codec import UnknownEvent
from kernel.storage.database import Connection
from kernel.storage.keys import Keyring
from kernel.storage.views import Rows


class ViewUnknown(Exception):
    """The live version of a view has a shape that this release does not know."""


class Catalog:
    def __init__(self, aggregates: Sequence[AnyAggregate], keyring: Keyring) -> None:
        self.aggregates = {aggregate.category: aggregate for aggregate in aggregates}
        self.keyring = keyring
        self.views: tuple[Rows, ...] = tuple(
            dict.fromkeys(view for aggregate in aggregates for view in aggregate.views)
        )
        self.by_type = {kind: aggregate for aggregate in aggregates for kind in aggregate.codec.types}
        self.erasing = frozenset(fact.__name__ for aggregate in aggregates for fact in aggregate.erasing)
        if len(self.by_type) != sum(len(aggregate.codec.types) for aggregate in aggregates):
            raise ValueError("two aggregates of one service have a fact of the same name")
        self._live = LiveViews(-1, {})
        # What readers have last found to be live, by name; every page asks whether it still is.
        self.shown: dict[str, int] = {}

    def aggregate(self, category: str) -> AnyAggregate:
        try:
            return self.aggregates[category]
        except KeyError:
            raise UnknownEvent(f"no category {category!r} in this release") from None

    def of_type(self, kind: str) -> AnyAggregate:
        """The aggregate whose fact this is; names of facts are unique in a service."""
        try:
            return self.by_type[kind]
        except KeyError:
            raise UnknownEvent(f"no event type {kind!r} in this release") from None

    async def live(self, connection: Connection, epoch: int) -> "LiveViews":
        """Which tables to write at this epoch; asked of the database only when the epoch has moved."""
        if self._live.epoch != epoch:
            self._live = await live_views(connection, epoch, self.views)
        return self._live


@dataclass(frozen=True, slots=True)
class LiveViews:
    epoch: int
    tables: dict[str, str]


async def live_views(connection: Connection, epoch: int, views: Sequence[Rows]) -> LiveViews:
    rows = await connection.fetch("SELECT name, version, shape FROM views WHERE live")
    shapes = {view.name: view.shape for view in views}
    for row in rows:
        if row["name"] in shapes and shapes[row["name"]] != row["shape"]:
            raise ViewUnknown(f"view {row['name']} is live in shape {row['shape']}, unknown to this release")
    return LiveViews(epoch, {row["name"]: f"{row['name']}_{row['version']}" for row in rows})


async def live_version(connection: Connection, name: str, shape: int) -> int:
    """The version of a view that readers use now. It only ever rises, but for a restore."""
    row = await connection.fetchrow("SELECT version, shape FROM views WHERE name = $1 AND live", name)
    if row is None or row["shape"] != shape:
        raise ViewUnknown(f"view {name} is not live in a shape that this release knows")
    return int(row["version"])
