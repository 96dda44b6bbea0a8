"""`make` with a machine that lacks something, or an environment left half-made: one sentence, or a whole one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the tool reads of a checkout, in a folder of its own."""
    for name in (
        "tools/bootstrap.py",
        "requirements-dev.lock",
        "requirements-uv.lock",
        "shared/pyproject.toml",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def bootstrap(checkout: Path, *python: str, **said: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *python, str(checkout / "tools" / "bootstrap.py")],
        env={**os.environ, **said},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("python", ["/nowhere/python3", "false"])
def test_a_python_that_will_not_do_is_named(python: str) -> None:
    done = subprocess.run(
        ["make", "run", f"PYTHON={python}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert done.stderr.splitlines()[0] == f"make: Guanxi needs Python 3.11 or newer, and {python} is not."


def test_a_python_without_its_venv_module_is_told_the_package(checkout: Path) -> None:
    # Debian packs the module apart; a folder without it stands for such a Python.
    bare = checkout / "sitecustomize.py"
    bare.write_text("import sys\nsys.modules['venv'] = None\n")
    done = bootstrap(checkout, PYTHONPATH=str(checkout))
    assert done.returncode == 1
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert done.stderr == (
        f"make: This Python has no venv module; on Debian and Ubuntu: apt-get install -y python{version}-venv\n"
    )


def test_an_index_that_does_not_answer_is_named_and_what_is_half_made_is_made_anew(checkout: Path) -> None:
    away = {"PIP_INDEX_URL": "http://127.0.0.1:1/simple", "PIP_RETRIES": "0", "PIP_TIMEOUT": "1"}
    for _ in range(2):
        done = bootstrap(checkout, **away)
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1] == (
            "make: uv could not be installed: is the package index reachable? Run make again."
        )
        # Not taken for a whole one the next time.
        assert "Making the environment .venv" in done.stdout
        assert not (checkout / ".venv" / ".made-from").exists()
