"""Kafka loses what it had acknowledged: the relay notices, and publishes it again; nobody who reads it counts twice."""

import asyncio
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest
from kernel.messaging.service import topic_of
from kernel.runtime.broker import KafkaBroker
from kernel.runtime.embedded import EmbeddedPostgres
from kernel.testing.servers import temporary_folder

from tests.system.asking import seen, settle
from tests.system.counting import expected
from tests.system.running import NAMES, System, eventually
from tests.system.sending import send
from tests.system.story import Story
from tests.system.topics import Message, messages

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def company(mortal_postgres: EmbeddedPostgres, mortal_kafka: KafkaBroker) -> Iterator[System]:
    with temporary_folder() as folder, System(Path(folder), mortal_postgres, mortal_kafka) as running:
        yield running


def test_a_lost_kafka_tail_is_published_again(company: System) -> None:
    story = Story()
    half = len(story.first) // 2
    send(company, story.rules)
    send(company, story.first[:half])
    settle(company)

    company.kill()
    cut_every_partition(company)
    company.start()
    send(company, story.first[half:])

    for name in NAMES[:3]:
        eventually(lambda name=name: unpublished(company, name) == set(), f"{name} is whole")  # type: ignore[misc]
        assert breaks(messages(company, name)) == []
    settle(company)
    assert seen(company) == expected([*story.rules, *story.first])


def test_figures_bear_that_topics_are_lost_under_living_relays(company: System) -> None:
    lose_topics_under_load(company)
    settle(company)
    assert seen(company) == expected(Story().everything)


def test_topics_lost_under_living_relays_are_published_again(company: System) -> None:
    lose_topics_under_load(company)
    for name in NAMES[:3]:
        eventually(lambda name=name: unpublished(company, name) == set(), f"{name} is whole")  # type: ignore[misc]


def lose_topics_under_load(system: System) -> None:
    """What was sent before is answered as it was, so the whole story may be sent again."""
    story = Story()
    send(system, story.rules)
    send(system, story.first)
    asyncio.run(system.delete_topics())
    system.make_topics()
    send(system, story.second)


def cut_every_partition(system: System) -> None:
    """As a broker loses what it never wrote to its disk: the files end earlier, in the middle of a batch."""
    assert system.kafka
    system.kafka.kill()
    for name in NAMES[:3]:
        for segment in system.kafka.directory.glob(f"data/{topic_of(name)}-*/*.log"):
            with segment.open("r+b") as file:
                file.truncate(segment.stat().st_size * 2 // 3)
    system.kafka.start()


def unpublished(system: System, name: str) -> set[str]:
    """What the feed tells and the topic does not hold."""
    held = {message.said["ce_id"] for message in messages(system, name) if message.is_record}
    return {record["id"] for record in system.feed(name)} - held


def breaks(found: list[Message]) -> list[str]:
    """Where a reader that drops what it has would miss something: a record whose forerunner did not come."""
    broken = []
    for partition, group in groupby(sorted(found, key=lambda m: m.partition), key=lambda m: m.partition):
        last = 0
        for said in (message.said for message in group if message.is_record):
            if int(said["ce_previous"]) > last:
                broken.append(f"partition {partition}: {said['ce_previous']} after {last}")
            last = max(last, int(said["ce_position"]))
    return broken
