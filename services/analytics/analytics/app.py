"""The analytics service put together: it hears all others, keeps views of what they tell, and answers figures."""

from fastapi import FastAPI
from kernel.messaging.service import Node, Service
from kernel.messaging.worker import Worker
from kernel.runtime.settings import Role, ServiceSettings
from kernel.web.app import create_app

from analytics import worker
from analytics.console import api as console_links
from analytics.console import routes as console
from analytics.freshness import api as freshness
from analytics.funnel import api as funnel
from analytics.kpis import api as kpis
from analytics.pipelines import api as pipelines
from analytics.policy import policy
from analytics.retention import api as retention
from analytics.service import api as complaints
from analytics.views import hears, metadata, views


def nothing(_: object) -> None:
    """Analytics tells nothing of its own yet."""


ROUTERS = (
    pipelines.router,
    funnel.router,
    retention.router,
    complaints.router,
    kpis.router,
    freshness.router,
    console_links.router,
    console.router,
)

service = Service(
    name="analytics",
    metadata=metadata,
    aggregates=(),
    publish=nothing,
    contracts=None,
    forgets_with=(),
    hears=hears,
    cells=views,
)


def create(settings: ServiceSettings) -> FastAPI:
    node = Node(service, settings)
    return create_app(
        node,
        policy,
        title="Analytics",
        routers=ROUTERS if settings.role is not Role.WORKER else (),
        beside=() if settings.role is Role.API else (Worker(node, worker.parts(node)),),
    )
