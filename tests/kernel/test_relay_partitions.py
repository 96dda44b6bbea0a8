"""More partitions than the topic has: the relay says what an operator must do, and goes on once it is done."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from aiokafka.admin import NewPartitions
from kernel.messaging.kafka import Cluster, decode
from kernel.messaging.records import PublicRecord
from kernel.messaging.topics import administering, ensure_topics
from kernel.runtime.embedded import EmbeddedPostgres
from kernel.storage.log import DEFAULT_PARTITIONS
from structlog.testing import capture_logs

from tests.kernel.kafka_examples import raw
from tests.kernel.notes import notes
from tests.kernel.relay_examples import plain

pytestmark = pytest.mark.kafka
MORE = 2 * DEFAULT_PARTITIONS


async def test_a_topic_with_too_few_partitions_is_enlarged_as_the_relay_says(
    postgres_server: EmbeddedPostgres, kafka_bootstrap: str
) -> None:
    async with notes(postgres_server, kafka_bootstrap) as desk:
        await desk.write(*"before")
        await desk.relay()
        desk.node.settings = desk.node.settings.model_copy(update={"partitions": MORE})
        with capture_logs() as logs:
            async with desk.relaying() as relay:
                async with asyncio.timeout(20):
                    while await desk.incarnations() == 1:  # noqa: ASYNC110
                        await asyncio.sleep(0.05)
                await desk.write(*"what is written with more of them")
                said = await trouble(logs)
                assert "`crm topics` leaves it as it is" in said
                assert "--alter --partitions" in said

                # That the command leaves it is true, and so is that this is enough.
                cluster = Cluster(desk.bootstrap)
                (topic,) = await ensure_topics(cluster, [desk.topic], MORE)
                assert topic.partitions == DEFAULT_PARTITIONS
                async with administering(cluster) as admin:
                    await admin.create_partitions({desk.topic: NewPartitions(MORE)})
                await desk.passed_on(relay)
        messages = [decode(message) for message in await raw(desk.bootstrap, desk.topic, MORE)]
        told = [message for message in messages if isinstance(message, PublicRecord)]
        assert sorted({record.position for record in told}) == await plain(desk)
        assert any(record.partition >= DEFAULT_PARTITIONS for record in told)


async def trouble(logs: Sequence[Mapping[str, Any]]) -> str:
    async with asyncio.timeout(20):
        while not (said := [line["error"] for line in logs if line["event"] == "relay_interrupted"]):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return str(said[0])
