"""What the lease holder of analytics runs: one follower of all services, into the log and the views, and its gauges."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from kernel.messaging import wiring
from kernel.messaging.projecting import Projection
from kernel.messaging.received import Received
from kernel.messaging.service import Node
from kernel.messaging.worker import Part

from analytics.freshness.gauges import Gauges
from analytics.views import sources, views

FOLLOWER = "analytics"


def parts(node: Node) -> Sequence[Part]:
    projection = Projection(node.database, Received(sources), views, ZoneInfo(node.settings.zone))
    follower = wiring.follower(node, FOLLOWER, tuple(sources), projection)
    return (follower.run, Gauges(node).run)
