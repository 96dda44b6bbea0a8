"""Writes docs/events.md and the shapes of every stored and published fact, from the code itself."""

import json
import sys
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

from kernel.messaging.service import Service, public_type
from kernel.storage.codec import members
from pydantic import TypeAdapter

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "events.md"
SHAPES = ROOT / "tests" / "contracts" / "shapes.json"
PACKAGES = ("contacts", "opportunities", "service_desk", "analytics")


def services() -> list[Service]:
    return [import_module(f"{package}.app").service for package in PACKAGES]


def page() -> str:
    """Who tells what, and who listens."""
    found = services()
    lines = [
        "# Events",
        "",
        "Made by `python tools/events_page.py`; a test keeps it current. Names of types and fields are promises: they",
        "change by addition alone. Every record is a CloudEvent: on Kafka in binary mode on the topic of its service,",
        "in `GET /v1/feed` as a batch.",
        "No published field is personal: whoever needs a name asks the owning service.",
    ]
    for service in found:
        heard_by = [other.name for other in found if service.name in other.hears]
        forgotten_by = [
            other.name for other in found if service.name in other.forgets_with and other is not service
        ]
        if service.contracts is not None:
            lines += ["", f"## {service.name} tells: `{service.topic}`", ""]
            lines += [f"Heard by {', '.join(heard_by) or 'nobody here'}."]
            if forgotten_by:
                lines[-1] += f" `PersonErased` is obeyed by {', '.join(forgotten_by)}."
            lines += ["", "| type | fields |", "|---|---|"]
            for contract in members(service.contracts):
                lines.append(f"| `{public_type(service.name, contract)}` | {names(contract)} |")
        if service.aggregates:
            lines += ["", f"### Stored by {service.name} (private; personal fields in italics)", ""]
            lines += ["| aggregate | fact | fields |", "|---|---|---|"]
        for aggregate in service.aggregates:
            for fact in aggregate.codec.classes:
                listed = names(fact, aggregate.codec.personal(fact))
                lines.append(f"| {aggregate.category} | `{fact.__name__}` | {listed} |")
    return "\n".join(lines) + "\n"


def names(fact: Any, personal: tuple[str, ...] = ()) -> str:
    listed = (f"*{field.name}*" if field.name in personal else field.name for field in fields(fact))
    return ", ".join(listed) or "–"


def shapes() -> dict[str, Any]:
    """JSON Schema of every contract, and of every stored fact in its present version."""
    found: dict[str, Any] = {}
    for service in services():
        for contract in members(service.contracts):
            found[public_type(service.name, contract)] = TypeAdapter(contract).json_schema()
        for aggregate in service.aggregates:
            for fact in aggregate.codec.classes:
                found[f"{service.name}/{aggregate.category}/{fact.__name__}"] = TypeAdapter(
                    fact
                ).json_schema()
    return found


def shapes_text() -> str:
    return json.dumps(shapes(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
    SHAPES.parent.mkdir(exist_ok=True)
    SHAPES.write_text(shapes_text())
    sys.stdout.write(f"{PAGE.relative_to(ROOT)} and {SHAPES.relative_to(ROOT)} written\n")
