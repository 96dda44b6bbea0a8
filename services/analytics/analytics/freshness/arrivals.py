"""Whether what a write's token names has arrived: the record itself, or word that there is nothing more before it."""

from kernel.messaging.service import Node
from kernel.web.consistency import TOKEN
from kernel.web.requests import BadHeader
from kernel.web.tokens import Place

from analytics.views import sources

# A token does not say in which partition its record is. So without the record itself all of them must be complete;
# a restored source counts only from the time on at which its bookmarks belong to the token's incarnation.
_HEARD = """
SELECT EXISTS (SELECT FROM received WHERE source = $1 AND incarnation = $2 AND source_position = $3)
    OR EXISTS (SELECT FROM checkpoints WHERE follower = 'analytics' AND version = 1 AND source = $1
               AND partition < 0 AND incarnation = $2 AND position >= $3)
    OR (SELECT count(*) >= $4 AND bool_and(incarnation = $2 AND position >= $3) FROM checkpoints
        WHERE follower = 'analytics' AND version = 1 AND source = $1 AND partition >= 0)
"""


async def has_heard(node: Node, place: Place) -> bool:
    if place.service not in sources:
        raise BadHeader("The token is of a service that is not heard here.", header=TOKEN)
    async with node.database.reading() as connection:
        heard: bool = await connection.fetchval(
            _HEARD, place.service, place.incarnation, place.position, node.settings.partitions
        )
        return heard
