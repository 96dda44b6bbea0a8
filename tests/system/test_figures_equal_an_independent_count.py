"""The whole product against plain counting: after a load, a second delivery, rebuilds and power cuts under load."""

import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from kernel.runtime.embedded import EmbeddedPostgres
from kernel.testing.servers import temporary_folder

from tests.system.asking import seen, settle
from tests.system.counting import expected
from tests.system.ledger import commands_kept, keeps_each_command_once
from tests.system.running import NAMES, PATIENCE, System, eventually
from tests.system.sending import send
from tests.system.story import Story
from tests.system.telling import Told

VIEWS = ("pipelines", "deals", "customers", "complaints", "orders")


@pytest.fixture(params=["feed", pytest.param("kafka", marks=pytest.mark.kafka)])
def company(request: pytest.FixtureRequest, mortal_postgres: EmbeddedPostgres) -> Iterator[System]:
    kafka = request.getfixturevalue("mortal_kafka") if request.param == "kafka" else None
    with temporary_folder() as folder, System(Path(folder), mortal_postgres, kafka) as running:
        yield running


@pytest.mark.timeout(600)
def test_figures_equal_an_independent_count(company: System, subtests: pytest.Subtests) -> None:
    story = Story()
    half = [*story.rules, *story.first]
    send(company, story.rules)
    with subtests.test("after a load"):
        send(company, story.first)
        figures_equal(company, half)
    with subtests.test("after everything was delivered twice"):
        deliver_everything_again(company)
        figures_equal(company, half)
    with subtests.test("after every view was made again"):
        rebuild_every_view(company)
        figures_equal(company, half)
    with subtests.test("after kills in the middle of a load"):
        load_while_everything_is_killed(company, story)
        figures_equal(company, story.everything)
        keeps_each_command_once(company, story.everything)
    with subtests.test("and the databases bear verification"):
        assert company.findings(["analytics"] if company.kafka else NAMES) == []


def figures_equal(system: System, told: Sequence[Told]) -> None:
    settle(system)
    assert seen(system) == expected(told)


def deliver_everything_again(system: System) -> None:
    """The relays forget that they ever sent, and analytics how far it had read the topics and the feeds."""
    system.stop()
    for name in NAMES[:3]:
        system.rows(name, "DELETE FROM relay")
    system.rows("analytics", "UPDATE checkpoints SET position = 0, kafka_offset = NULL")
    system.start()


def rebuild_every_view(system: System, patience: float = PATIENCE) -> None:
    def again(view: str) -> subprocess.CompletedProcess[str]:
        return system.crm("rebuild", "analytics", view, name="analytics", patience=patience)

    with ThreadPoolExecutor(2) as threads:
        done = threads.map(again, VIEWS)
        assert [run.stderr for run in done if run.returncode] == []


def load_while_everything_is_killed(system: System, story: Story) -> None:
    """The services in the first third; the database and Kafka in the second, under services that live on."""
    before, whole = commands_kept(system), len(story.second)
    with ThreadPoolExecutor(1) as threads:
        load = threads.submit(send, system, story.second, slice=10)
        eventually(lambda: commands_kept(system) > before + whole // 4, "a quarter is told")
        system.kill()
        system.start()
        assert not load.done()
        eventually(lambda: commands_kept(system) > before + whole // 2, "half is told")
        system.kill_servers()
        assert not load.done()
        system.start_servers()
        load.result()
