"""The processes of the simulated company, each with the kernel's real parts over the model."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID
from zoneinfo import ZoneInfo

from kernel.messaging import feed
from kernel.messaging.feed_client import FeedClient, FeedGone
from kernel.messaging.followers import Follower, Sink
from kernel.messaging.forgetting import Forgetting
from kernel.messaging.projecting import Projection
from kernel.messaging.received import Received
from kernel.messaging.records import Contracts, PublicRecord, Translator
from kernel.messaging.relay import Relay
from kernel.messaging.service import Node, Service
from kernel.messaging.sources import FEED_PARTITION, NO_INCARNATION, EventSource, Mark, Place
from kernel.messaging.worker import Worker
from kernel.storage.aggregate import AnyHandled, Intent, Step
from kernel.storage.catalog import Catalog
from kernel.storage.committer import Committer
from kernel.storage.keys import Keyring
from kernel.storage.persons import person
from sqlalchemy import MetaData

from tests.chaos.simulation.connection import ModelDatabase
from tests.chaos.simulation.domain import SOURCE, Contract, Erase, account, publish
from tests.chaos.simulation.hearing import sums, tally
from tests.chaos.simulation.kafka import ModelPublisher
from tests.chaos.simulation.process import Process
from tests.chaos.simulation.server import Server
from tests.chaos.simulation.sinks import Counting, Table
from tests.chaos.simulation.topic import Topic

ZONE = ZoneInfo("UTC")
KEYRING = Keyring({1: b"\7" * 32}, b"secret")


def _erase(person_id: UUID) -> Step:
    return Step(account, person_id, Erase(ref="restore"))


BANK = Service(SOURCE, MetaData(), (account,), publish, Contract, erase=_erase)
READER = Service("reader", MetaData(), (tally,), lambda _: None, None, cells=(sums,))
CONTRACTS = Contracts(SOURCE, Contract)
# Readers that answer what they hear with commands of their own.
WRITERS = ("reaction", "forgetting")


def node_of(service: Service, server: Server, process: Process, partitions: int) -> Node:
    """As `Node`, without settings from outside."""
    database = ModelDatabase(server, process)
    catalog = Catalog((*service.aggregates, person), KEYRING)
    listed = "the one list there is" if service is BANK else None
    settings = SimpleNamespace(partitions=partitions, erasures_file=listed)
    return cast(
        Node,
        SimpleNamespace(
            service=service,
            settings=settings,
            database=database,
            catalog=catalog,
            committer=Committer(database, catalog),
        ),
    )


class Api:
    """Answers commands and the feed, as long as it lives."""

    def __init__(self, process: Process, node: Node) -> None:
        self.process = process
        self._node = node
        self._translator = Translator(node.service, node.catalog)
        process.spawn(self._start())

    async def _start(self) -> None:
        self._node.committer.start()

    async def submit(self, intent: Intent) -> AnyHandled:
        hung_up = asyncio.Event()
        asked = replace(intent, gone=hung_up.is_set)
        try:
            handled: AnyHandled = await self.ask(lambda: self._node.committer.submit(asked))
        except asyncio.CancelledError:
            if self.process.alive:
                # The process hears of it in its turn.
                self.process.spawn(_tell(hung_up))
            raise
        return handled

    async def ask(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """As over the network: whoever asks is told when this process dies, and not when it only stops."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if not self.process.alive:
            raise ConnectionRefusedError("nobody listens")

        def hang_up() -> None:
            if not answer.done():
                answer.set_exception(ConnectionResetError("the process died"))

        self.process.on_death.append(hang_up)
        self.process.spawn(_answer(work, answer))
        try:
            return await answer
        finally:
            if self.process.alive:
                self.process.on_death.remove(hang_up)

    async def page(self, after: int, incarnation: UUID | None, limit: int) -> tuple[list[PublicRecord], Mark]:
        """What `GET /v1/feed` does, without HTTP."""
        async with self._node.database.reading() as connection:
            if incarnation not in (None, NO_INCARNATION):
                try:
                    (await feed.history(connection)).check(incarnation, after)
                except feed.Gone as gone:
                    place = Place(gone.incarnation, gone.position, tuple(gone.counting))
                    raise FeedGone(place) from None
            page = await feed.read_page(connection, self._translator, after=after, limit=limit)
        stated = page.incarnation or NO_INCARNATION
        return list(page.records), Mark(FEED_PARTITION, stated, page.position, at=page.at)


async def _tell(hung_up: asyncio.Event) -> None:
    hung_up.set()


async def _answer(work: Callable[[], Awaitable[Any]], answer: "asyncio.Future[Any]") -> None:
    try:
        said = await work()
    except Exception as error:
        if not answer.done():
            answer.set_exception(error)
            answer.exception()
    else:
        if not answer.done():
            answer.set_result(said)


class ModelFeed(FeedClient):
    """`between` is the kernel's own, with gaps that are large soon; a page comes from any API that answers."""

    def __init__(self, apis: Callable[[], Api]) -> None:
        self.name = SOURCE
        self._apis = apis

    async def page(
        self, after: int, incarnation: UUID | None, *, limit: int = 1000, wait: float = 0.0
    ) -> tuple[list[PublicRecord], Mark]:
        until = asyncio.get_running_loop().time() + wait
        while True:
            async with asyncio.timeout(2.0):
                api = self._apis()
                records, mark = await api.ask(partial(api.page, after, incarnation, limit))
            if records or asyncio.get_running_loop().time() >= until:
                return records, mark
            await asyncio.sleep(0.2)

    async def between(
        self, partition: int, after: int, upto: int, most: int
    ) -> tuple[list[PublicRecord], int]:
        return await super().between(partition, after, upto, min(most, 3))

    async def close(self) -> None:
        """There is nothing to close."""


Part = Callable[[Any], Awaitable[None]]


async def work(node: Node, parts: Sequence[Part], *, writes: bool) -> None:
    """A worker's process."""
    if writes:
        node.committer.start()
    async with Worker(node, parts):
        await asyncio.Event().wait()


def relaying(node: Node, topic: Topic) -> list[Part]:
    return [Relay(node, lambda: ModelPublisher(topic)).run]


def listening(
    node: Node, kinds: Sequence[str], feed: ModelFeed, new_source: Callable[[], EventSource]
) -> list[Part]:
    """The readers of these kinds."""
    received = Received({SOURCE: CONTRACTS})
    sinks: dict[str, Callable[[], Sink]] = {
        "projection": lambda: Projection(node.database, received, [sums], ZONE),
        "reaction": lambda: Counting(node),
        "table": lambda: Table(node),
        "forgetting": lambda: Forgetting(node),
    }
    return [
        Follower(kind, node.database, [new_source()], {SOURCE: feed}, sinks[kind]()).run for kind in kinds
    ]
