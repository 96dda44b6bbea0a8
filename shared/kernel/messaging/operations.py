"""What operators do to one service's database: verify it, rebuild a view, look at and release what is parked."""

from collections.abc import AsyncIterator
from zoneinfo import ZoneInfo

from kernel.messaging import unparking, verify
from kernel.messaging.parking import all_parked
from kernel.messaging.projecting import Projection
from kernel.messaging.rebuild import Progress, Target, rebuild
from kernel.messaging.rebuild_cells import CellsTarget
from kernel.messaging.rebuild_rows import RowsTarget
from kernel.messaging.received import Received
from kernel.messaging.records import Contracts
from kernel.messaging.service import Node
from kernel.messaging.verify import Finding


class Operations:
    def __init__(self, node: Node) -> None:
        self._node = node
        service = node.service
        self._zone = ZoneInfo(node.settings.zone)
        self._received = Received({name: Contracts(name, union) for name, union in service.hears.items()})

    @property
    def targets(self) -> list[Target]:
        rows: list[Target] = [RowsTarget(view, self._node.catalog) for view in self._node.catalog.views]
        return [*rows, *(CellsTarget(view, self._received, self._zone) for view in self._node.service.cells)]

    def verify(self) -> AsyncIterator[Finding]:
        return verify.verify(self._node.database, self.targets)

    async def rebuild(self, view: str, progress: Progress) -> int:
        """Raises `LookupError` for a view that the service does not have, `NotEqual` when the proof fails.

        `AnotherRebuild` while the same view is being made again elsewhere.
        """
        for target in self.targets:
            if target.name == view:
                return await rebuild(self._node.database, target, progress)
        raise LookupError(f"no view {view}; there are {', '.join(target.name for target in self.targets)}")

    async def parked(self) -> list[dict[str, object]]:
        async with self._node.database.driver() as connection:
            return await all_parked(connection)

    async def unpark(self, view: str | None = None) -> int:
        projection = Projection(self._node.database, self._received, self._node.service.cells, self._zone)
        return await unparking.unpark(self._node.database, projection, self._received, view)
