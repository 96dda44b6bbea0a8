"""The contacts service put together: what it keeps, who may use it, what it answers, what its worker does."""

from contracts.contacts import ContactsContract
from fastapi import FastAPI
from kernel.messaging.service import Node, Service
from kernel.messaging.worker import Worker
from kernel.runtime.settings import Role, ServiceSettings
from kernel.storage.aggregate import Step
from kernel.web.app import create_app

from contacts import worker
from contacts.company import api as companies
from contacts.company.aggregate import company
from contacts.contact import api as people
from contacts.contact.aggregate import contact
from contacts.contact.commands import ErasePerson
from contacts.policy import policy
from contacts.publishing import publish
from contacts.tables import metadata

service = Service(
    name="contacts",
    metadata=metadata,
    aggregates=(company, contact),
    publish=publish,
    contracts=ContactsContract,
    forgets_with=(),
    erase=lambda person_id: Step(contact, person_id, ErasePerson(reason="restored")),
)


def create(settings: ServiceSettings) -> FastAPI:
    node = Node(service, settings)
    return create_app(
        node,
        policy,
        title="Contacts",
        routers=(companies.router, people.router),
        operations=(*companies.operations, *people.operations),
        reads=(*companies.reads, *people.reads),
        beside=() if settings.role is Role.API else (Worker(node, worker.parts(node)),),
    )
