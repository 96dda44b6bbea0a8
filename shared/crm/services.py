"""The services by name; they are loaded when asked for, since the command line may not import them."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crm.failures import Failure

if TYPE_CHECKING:
    from fastapi import FastAPI
    from kernel.messaging.service import Service
    from kernel.runtime.settings import ServiceSettings

# In the order of their ports.
NAMES = ("contacts", "opportunities", "service-desk", "analytics")
PORT_BASE = 8101


@dataclass(frozen=True, slots=True)
class Loaded:
    service: Service
    create: Callable[[ServiceSettings], FastAPI]


def package_of(name: str) -> str:
    return name.replace("-", "_")


def known(name: str) -> str:
    """The service's name as the product writes it."""
    proper = name.replace("_", "-")
    if proper not in NAMES:
        raise Failure(f"There is no service named {name!r}; there are {', '.join(NAMES)}.")
    return proper


def installed() -> list[str]:
    """An image has one service, a checkout all of them."""
    return [name for name in NAMES if _is_installed(name)]


def load(name: str) -> Loaded:
    if not _is_installed(known(name)):
        raise Failure(f"The service {name} is not installed here.")
    module = importlib.import_module(f"{package_of(name)}.app")
    return Loaded(module.service, module.create)


def _is_installed(name: str) -> bool:
    package = package_of(name)
    return importlib.util.find_spec(package) is not None and bool(importlib.util.find_spec(f"{package}.app"))
