"""The page of a service names everything that it accepts and tells, so that nobody looks for it in the code."""

from importlib import import_module
from pathlib import Path

import pytest
from kernel.messaging.service import Service
from kernel.storage.codec import members

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("contacts", "opportunities", "service-desk")


def page(name: str) -> str:
    return (ROOT / "services" / name / "README.md").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_every_command_is_on_the_page(name: str) -> None:
    requests = import_module(f"tests.{name.replace('-', '_')}.requests").OURS
    told = page(name)
    for operation in requests.operations.values():
        assert f"`{operation.id}`" in told, operation.id
        assert f"`{operation.method} {operation.path}`" in told, operation.path


@pytest.mark.parametrize("name", NAMES)
def test_every_contract_is_on_the_page(name: str) -> None:
    service: Service = import_module(f"{name.replace('-', '_')}.app").service
    told = page(name)
    assert [
        contract.__name__ for contract in members(service.contracts) if f"`{contract.__name__}`" not in told
    ] == []


@pytest.mark.parametrize("name", [*NAMES, "analytics"])
def test_the_page_has_its_parts_and_stays_a_page(name: str) -> None:
    told = page(name)
    for part in ("Owns", "Tells", "Listens to"):
        assert f"## {part}\n" in told or f"**{part}**" in told, part
    assert len(told.splitlines()) <= 80
