"""How events travel is a setting: changed while readers are behind, in either direction, it costs no record."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from kernel.runtime.broker import KafkaBroker
from kernel.runtime.embedded import EmbeddedPostgres
from kernel.runtime.settings import Events
from kernel.testing.servers import temporary_folder

from tests.system.asking import seen, settle
from tests.system.counting import expected
from tests.system.running import System
from tests.system.sending import send
from tests.system.story import Story
from tests.system.telling import Told

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]


@pytest.fixture
def company(mortal_postgres: EmbeddedPostgres, mortal_kafka: KafkaBroker) -> Iterator[System]:
    with temporary_folder() as folder:
        system = System(Path(folder), mortal_postgres, mortal_kafka)
        system.events = Events.FEED
        with system:
            yield system


def test_a_switch_from_feed_to_kafka_and_back(company: System, subtests: pytest.Subtests) -> None:
    story = Story()
    half = len(story.second) // 2
    parts = story.second[:half], story.second[half:]
    told = [*story.rules, *story.first]
    send(company, story.rules)
    send(company, story.first)
    settle(company)
    for events, part in zip((Events.KAFKA, Events.FEED), parts, strict=True):
        with subtests.test(f"to {events}"):
            tell_while_analytics_is_away(company, part)
            told += part
            company.stop()
            company.events = events
            company.start()
            settle(company)
            assert seen(company) == expected(told)


def tell_while_analytics_is_away(system: System, part: Sequence[Told]) -> None:
    """One half while it listens, which it may or may not have heard, and one that it never heard the old way."""
    send(system, part[: len(part) // 2])
    system.kill(["analytics"])
    send(system, part[len(part) // 2 :])
