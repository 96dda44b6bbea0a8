"""The parts of a worker that every service has, each made in one line from the node's settings."""

from collections.abc import Sequence

from kernel.messaging.feed_client import FeedClient, FeedSource
from kernel.messaging.followers import Follower, Sink
from kernel.messaging.forgetting import Forgetting
from kernel.messaging.relay import Relay
from kernel.messaging.service import Node, topic_of
from kernel.messaging.sources import EventSource
from kernel.messaging.worker import Part
from kernel.runtime.settings import Events


def relay(node: Node) -> Part:
    if node.settings.events is Events.FEED:
        return Relay(node, None).run
    from kernel.messaging.kafka import Cluster  # noqa: PLC0415  only who uses Kafka loads it
    from kernel.messaging.kafka_publisher import KafkaPublisher  # noqa: PLC0415

    cluster = Cluster.of(node.settings)
    return Relay(node, lambda: KafkaPublisher(cluster, node.service.topic)).run


def follower(node: Node, name: str, sources: Sequence[str], sink: Sink, *, gather: float = 0.0) -> Follower:
    """Follows other services over Kafka or their feeds, as the settings say; the feeds fill gaps in either case.

    `gather`: for so many seconds news may wait for more of it, where that is worth more than being early.
    """
    urls, token = node.settings.feed_urls(), node.settings.current_service_token
    missing = [source for source in sources if source not in urls]
    if missing:
        raise ValueError(f"CRM_FEEDS does not say where {', '.join(missing)} answers")
    feeds = {source: FeedClient(source, urls[source], token) for source in sources}
    return Follower(
        name, node.database, [_source(node, feeds[source], gather) for source in sources], feeds, sink
    )


def _source(node: Node, feed: FeedClient, gather: float) -> EventSource:
    if node.settings.events is Events.FEED:
        # No longer than this, because an answer without news says until when there was none.
        return FeedSource(feed, wait=1.0, gather=gather)
    from kernel.messaging.kafka import Cluster  # noqa: PLC0415
    from kernel.messaging.kafka_source import KafkaSource  # noqa: PLC0415

    return KafkaSource(feed.name, Cluster.of(node.settings), topic_of(feed.name), gather=gather)


def forgetting(node: Node) -> Part:
    """Erases here whoever was erased where they are at home.

    Most of what it hears is not about that, and each hearing takes the log's lock once: so it hears twice a second.
    """
    return follower(node, "forgetting", node.service.forgets_with, Forgetting(node), gather=0.5).run
