"""The opportunities service put together: what it keeps, who may use it, what it answers, what its worker does."""

from contracts.opportunities import OpportunitiesContract
from fastapi import FastAPI
from kernel.messaging.service import Node, Service
from kernel.messaging.worker import Worker
from kernel.runtime.settings import Role, ServiceSettings
from kernel.web.app import create_app

# The problems come first: a route documents those that are known when it is made.
from opportunities import problems, worker  # noqa: F401
from opportunities.opportunity import api as deals
from opportunities.opportunity.aggregate import opportunity
from opportunities.order import api as orders
from opportunities.order.aggregate import order
from opportunities.pipeline import api as pipelines
from opportunities.pipeline.aggregate import pipeline
from opportunities.policy import policy
from opportunities.publishing import publish
from opportunities.tables import metadata

service = Service(
    name="opportunities",
    metadata=metadata,
    aggregates=(pipeline, opportunity, order),
    publish=publish,
    contracts=OpportunitiesContract,
)
routers = (pipelines.router, deals.router, orders.router)
operations = (*pipelines.operations, *deals.operations, *orders.operations)
reads = (*pipelines.reads, *deals.reads, *orders.reads)


def create(settings: ServiceSettings) -> FastAPI:
    node = Node(service, settings)
    serves = settings.role is not Role.WORKER
    return create_app(
        node,
        policy,
        title="Opportunities",
        routers=routers if serves else (),
        operations=operations if serves else (),
        reads=reads if serves else (),
        beside=() if settings.role is Role.API else (Worker(node, worker.parts(node)),),
    )
