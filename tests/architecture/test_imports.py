"""The architecture holds, and each of its rules would notice a breach."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.repository import ROOT, SERVICES, name_of, product_files

LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")
PURE_NAMES = {"decider.py", "events.py", "commands.py", "publishing.py", "reactions.py", "semantics.py"}
OUR_PACKAGES = {"kernel", "contracts", *SERVICES}

# What rules may use of the standard library: data and arithmetic, no clock, no files, no network, no chance.
CALM_LIBRARY = set(
    "__future__ abc bisect calendar collections dataclasses datetime decimal enum fractions functools heapq "
    "itertools math operator re statistics string types typing unicodedata uuid zoneinfo".split()
)
THIRD_PARTY = {"shared/kernel/domain/ids.py": {"uuid_utils"}}


def lint(folder: Path) -> "subprocess.CompletedProcess[str]":
    command: list[str | Path] = [LINT_IMPORTS, "--no-cache", "--config", ROOT / ".importlinter"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_contracts_of_the_architecture_are_kept() -> None:
    answer = lint(ROOT)
    assert answer.returncode == 0, answer.stdout
    assert "5 kept, 0 broken" in answer.stdout


GOOD = {
    "kernel": "domain/errors runtime/settings storage/log messaging/relay web/app testing/specs",
    "contracts": "contacts",
    "crm": "main",
    "contacts": "settings app worker publishing contact/events contact/commands contact/decider contact/aggregate "
    "contact/api contact/views/directory",
    "opportunities": "settings publishing order/events order/commands order/decider",
    "service_desk": "settings reactions complaint/events complaint/commands complaint/decider",
    "analytics": "settings semantics funnel/semantics",
}


def small_copy(folder: Path, changes: dict[str, str]) -> Path:
    """The shape of this repository without its content, for the rules to judge."""
    for package, modules in GOOD.items():
        for module in modules.split():
            path = folder / package / f"{module}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("")
    for module, content in changes.items():
        path = folder / f"{module.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    for path in [path for path in folder.rglob("*") if path.is_dir()]:
        (path / "__init__.py").touch()
    return folder


def test_the_small_copy_keeps_the_rules(tmp_path: Path) -> None:
    changes = {
        "contacts.app": "import contacts.settings\nimport contacts.contact.api",
        "contacts.contact.api": "import contacts.contact.decider\nimport kernel.web.app",
        "kernel.web.app": "import kernel.domain.errors\nimport fastapi",
    }
    answer = lint(small_copy(tmp_path, changes))
    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize(
    ("module", "breach", "rule"),
    [
        ("contacts.publishing", "import opportunities.publishing", "Services never import each other"),
        ("kernel.web.app", "import contacts.publishing", "shared code never imports a service"),
        ("crm.main", "import contacts.app", "Services never import each other"),
        ("contracts.contacts", "import kernel.domain.errors", "Services never import each other"),
        ("kernel.storage.log", "import kernel.messaging.relay", "The kernel is layered"),
        ("kernel.extras", "", "The kernel is layered"),
        ("kernel.domain.errors", "import pydantic", "Rules, facts and intents import no framework"),
        ("contracts.contacts", "import httpx", "Rules, facts and intents import no framework"),
        ("contacts.contact.decider", "import sqlalchemy.orm", "Rules, facts and intents import no framework"),
        ("opportunities.order.events", "import pydantic", "Rules, facts and intents import no framework"),
        ("service_desk.complaint.commands", "import fastapi", "Rules, facts and intents import no framework"),
        ("contacts.publishing", "import aiokafka", "Rules, facts and intents import no framework"),
        ("service_desk.reactions", "import asyncpg", "Rules, facts and intents import no framework"),
        ("analytics.semantics", "import starlette", "Rules, facts and intents import no framework"),
        ("analytics.funnel.semantics", "import alembic", "Rules, facts and intents import no framework"),
        ("contacts.contact.events", "import contacts.contact.commands", "Inside an aggregate"),
        ("opportunities.order.commands", "import opportunities.order.decider", "Inside an aggregate"),
        (
            "service_desk.complaint.decider",
            "import service_desk.complaint.views.queue",
            "Inside an aggregate",
        ),
        ("contacts.contact.views.directory", "import contacts.contact.aggregate", "Inside an aggregate"),
        ("contacts.contact.api", "import contacts.settings", "Only composition roots read settings"),
    ],
)
def test_a_breach_is_noticed(module: str, breach: str, rule: str, tmp_path: Path) -> None:
    changes = {"service_desk.complaint.views.queue": "", module: breach}
    answer = lint(small_copy(tmp_path, changes))
    broken = [line for line in answer.stdout.splitlines() if line.endswith("BROKEN")]
    assert len(broken) == 1, answer.stdout + answer.stderr
    assert rule in broken[0]
    assert answer.returncode == 1


def is_pure(path: Path) -> bool:
    name = name_of(path)
    if name.startswith(("shared/kernel/domain/", "shared/contracts/")):
        return True
    return name.startswith("services/") and path.name in PURE_NAMES


def imported_packages(source: str) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import():
                found.update(alias.name.split(".")[0] for alias in node.names)
            case ast.ImportFrom(module=str(module), level=0):
                found.add(module.split(".")[0])
            case ast.ImportFrom():
                found.add("a relative import")
            case _:
                pass
    return found


def strangers(name: str, source: str) -> set[str]:
    return imported_packages(source) - CALM_LIBRARY - OUR_PACKAGES - THIRD_PARTY.get(name, set())


def test_rules_facts_and_intents_use_only_what_needs_no_installation() -> None:
    found = {
        name_of(path): strangers(name_of(path), path.read_text()) for path in product_files() if is_pure(path)
    }
    assert found
    assert {name: packages for name, packages in found.items() if packages} == {}


@pytest.mark.parametrize(
    "source", ["import numpy", "from time import time", "import os", "from . import events"]
)
def test_a_rule_that_reaches_out_is_noticed(source: str) -> None:
    assert strangers("services/contacts/contacts/contact/decider.py", source)
