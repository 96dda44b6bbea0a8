"""A process of its own that sends notes, one under each key that it is given, and prints how each was answered."""

import asyncio
import sys
from contextlib import AsyncExitStack
from uuid import UUID, uuid4

from kernel.domain.ids import named_id
from kernel.messaging.service import Node
from kernel.storage.aggregate import AnyHandled
from kernel.testing.fixtures import make_settings
from kernel.testing.toy import service
from kernel.testing.toy_note import WriteNote

from tests.kernel.toys import on


async def send(url: str, keys: list[str]) -> list[AnyHandled]:
    node = Node(service, make_settings(url))
    node.committer.start()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(node.close)
        ids: list[UUID] = [named_id(key) if key != "own" else uuid4() for key in keys]
        sent = (on(i, WriteNote(), key=key) for i, key in zip(ids, keys, strict=True))
        return await asyncio.gather(*map(node.committer.submit, sent))


if __name__ == "__main__":
    for answer in asyncio.run(send(sys.argv[1], sys.argv[2:])):
        sys.stdout.write(f"{answer.version}@{answer.position}:{answer.replayed}\n")
