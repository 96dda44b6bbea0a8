"""A test run leaves the machine as it found it."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

USES_EVERYTHING = """
from kernel.testing.fixtures import token

def test_that_needs_a_key_and_a_database(postgres_server):
    assert token() and postgres_server.running
"""


@pytest.fixture
def temporary() -> Iterator[Path]:
    """With a short name, since the address of a socket is in it."""
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp") as folder:
        yield Path(folder)


def test_a_run_leaves_nothing_in_the_folder_for_temporary_files(tmp_path: Path, temporary: Path) -> None:
    test = tmp_path / "test_it.py"
    test.write_text(USES_EVERYTHING)
    words = [
        "-n",
        "1",
        "-p",
        "no:schemathesis",
        "-p",
        "no:hypothesispytest",
        "-p",
        "kernel.testing.servers",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
    ]
    outcome = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *words, str(test)],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    # pytest keeps an (empty) folder of its own.
    assert [left.name for left in temporary.iterdir() if not left.name.startswith("pytest-of-")] == []
