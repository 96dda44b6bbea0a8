"""The service desk put together: what it keeps, who may use it, what it answers, what its worker does."""

from contracts.service_desk import ServiceDeskContract
from fastapi import FastAPI
from kernel.messaging.service import Node, Service
from kernel.messaging.worker import Worker
from kernel.runtime.settings import Role, ServiceSettings
from kernel.storage.persons import PersonForgotten
from kernel.storage.views import AnyRecorded
from kernel.web.app import create_app

from service_desk import worker
from service_desk.access import access
from service_desk.complaint import api as complaints
from service_desk.complaint.aggregate import complaint
from service_desk.policy import api as promises
from service_desk.policy.aggregate import reply_policy
from service_desk.publishing import publish
from service_desk.tables import metadata


def told(event: AnyRecorded) -> object | None:
    """That a person was erased is told by contacts alone; that we forgot them is our own matter."""
    return None if isinstance(event.fact, PersonForgotten) else publish(event)


service = Service(
    name="service-desk",
    metadata=metadata,
    aggregates=(complaint, reply_policy),
    publish=told,
    contracts=ServiceDeskContract,
)


def create(settings: ServiceSettings) -> FastAPI:
    node = Node(service, settings)
    return create_app(
        node,
        access,
        title="Service desk",
        routers=(complaints.router, promises.router),
        operations=(*complaints.operations, *promises.operations),
        reads=(*complaints.reads, *promises.reads),
        beside=() if settings.role is Role.API else (Worker(node, worker.parts(node)),),
    )
