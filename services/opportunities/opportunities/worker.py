"""What the lease holder of opportunities runs."""

from collections.abc import Sequence

from kernel.messaging import wiring
from kernel.messaging.purge import Purge
from kernel.messaging.service import Node
from kernel.messaging.timers import Timers
from kernel.messaging.worker import Part


def parts(node: Node) -> Sequence[Part]:
    return (wiring.relay(node), Timers(node).run, Purge(node).run, wiring.forgetting(node))
