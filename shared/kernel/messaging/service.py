"""What one service is: the short description from which its API, its worker and the command line are made."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from uuid import UUID

from sqlalchemy import MetaData

from kernel.messaging.cells import AnyCells
from kernel.runtime.settings import ServiceSettings
from kernel.storage.aggregate import AnyAggregate, Step
from kernel.storage.catalog import Catalog
from kernel.storage.codec import members
from kernel.storage.committer import Committer
from kernel.storage.database import Database
from kernel.storage.keys import Keyring
from kernel.storage.persons import person
from kernel.storage.reading import Streams
from kernel.storage.views import AnyRecorded, KnownView


def public_type(service: str, contract: type) -> str:
    """`crm.contacts.contact-registered.v1`: the name is the promise, the number its version."""
    kebab = re.sub(r"(?<!^)(?=[A-Z])", "-", contract.__name__).lower()
    return f"crm.{service}.{kebab}.v1"


def topic_of(service: str) -> str:
    """What a service tells is in one topic, whatever it is about."""
    return f"crm.{service}.v1"


@dataclass(frozen=True, slots=True)
class Service:
    """`publish` is the pure translation from a private fact to a contract, or to nothing."""

    name: str
    metadata: MetaData
    aggregates: tuple[AnyAggregate, ...]
    publish: Callable[[AnyRecorded], object | None]
    contracts: object
    # Services whose erasures must happen here too.
    forgets_with: tuple[str, ...] = ("contacts",)
    # Whom the service hears, and the contracts that they speak; the views that follow what is heard.
    hears: Mapping[str, object] = field(default_factory=dict)
    cells: tuple[AnyCells, ...] = ()
    # How the service that persons belong to erases one of them.
    erase: Callable[[UUID], Step] | None = None

    @property
    def topic(self) -> str:
        return topic_of(self.name)

    @property
    def package(self) -> str:
        return self.name.replace("-", "_")

    @property
    def known_views(self) -> list[KnownView]:
        rows = dict.fromkeys(view for aggregate in self.aggregates for view in aggregate.views)
        return [
            *(KnownView(view.name, view.shape) for view in rows),
            *(KnownView(view.name, view.shape) for view in self.cells),
        ]

    @property
    def published_types(self) -> list[str]:
        return [public_type(self.name, contract) for contract in members(self.contracts)]


class Node:
    """A process of a service: its database, its catalog and its one committer."""

    def __init__(self, service: Service, settings: ServiceSettings) -> None:
        self.service = service
        self.settings = settings
        self.secret = sha256(settings.signing_secret.get_secret_value().encode()).digest()
        self.database = Database(settings.database_url, application=f"crm-{service.name}")
        self.catalog = Catalog((*service.aggregates, person), Keyring(settings.masters(), self.secret))
        self.committer = Committer(self.database, self.catalog)
        self.streams = Streams(self.database, self.catalog)
        self.draining = False
        # What readiness asks besides the database: "ok", or what is wrong.
        self.checks: dict[str, Callable[[], str]] = {}

    def drain(self) -> None:
        """No answer is held back any more: the process is about to end."""
        self.draining = True
        self.committer.committed.ring()

    async def close(self) -> None:
        await self.committer.stop()
        await self.database.close()
