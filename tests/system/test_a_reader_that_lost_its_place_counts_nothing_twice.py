"""Analytics reads a source again from its first record on: it must know what it has."""

from tests.system.asking import behind
from tests.system.running import System, eventually


def test_a_reader_that_lost_its_place_counts_nothing_twice(system: System) -> None:
    system.post("contacts", "/v1/companies", {"name": "Told once"})
    eventually(lambda: not behind(system), "analytics has heard of it")
    place = system.rows("analytics", "SELECT position FROM checkpoints WHERE source = 'contacts'")[0][0]
    held = system.rows("analytics", "SELECT count(*) FROM received")
    forget(system, 0)
    try:
        eventually(lambda: not behind(system), "analytics has heard it again", patience=10)
        assert system.rows("analytics", "SELECT count(*) FROM received") == held
    finally:
        forget(system, place)


def forget(system: System, place: int) -> None:
    system.kill(["analytics"])
    system.rows("analytics", "UPDATE checkpoints SET position = %s WHERE source = 'contacts'", place)
    system.start(["analytics"])
