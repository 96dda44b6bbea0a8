"""The read models of analytics: for each, the facts it hears, its fold, and what a state contributes."""

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

from contracts.contacts import ContactsContract
from contracts.opportunities import OpportunitiesContract, PipelineDefined
from contracts.service_desk import ServiceDeskContract
from kernel.messaging.cells import Cells, Heard
from kernel.messaging.records import Contracts
from kernel.storage.codec import members
from kernel.storage.tables import analytics_metadata

from analytics.funnel import cells as funnel
from analytics.funnel import deal
from analytics.kpis import semantics as kpis
from analytics.pipelines import semantics as pipeline
from analytics.retention import semantics as retention
from analytics.service import complaint
from analytics.service import semantics as service

metadata = analytics_metadata()
State = TypeVar("State")


def by(key: Callable[[Any], UUID]) -> Callable[[Heard], UUID]:
    return lambda heard: key(heard.fact)


pipelines = Cells(
    "pipelines",
    initial=pipeline.BLANK,
    hears=frozenset(members(PipelineDefined)),
    key=by(pipeline.key),
    project=pipeline.project,
    contribute=pipeline.contribute,
).attach(metadata)

deals = Cells(
    "deals",
    initial=deal.BLANK,
    hears=frozenset(members(deal.DealFact)),
    key=by(deal.key),
    project=deal.project,
    contribute=funnel.contribute,
).attach(metadata)

customers = Cells(
    "customers",
    initial=retention.BLANK,
    hears=frozenset(members(retention.CustomerFact)),
    key=by(retention.key),
    across="customer_id",
    project=retention.project,
    contribute=retention.contribute,
).attach(metadata)

complaints = Cells(
    "complaints",
    initial=complaint.BLANK,
    hears=frozenset(members(complaint.ComplaintFact)),
    key=by(complaint.key),
    project=complaint.project,
    contribute=service.contribute,
).attach(metadata)

orders = Cells(
    "orders",
    initial=kpis.BLANK,
    hears=frozenset(members(kpis.OrderFact)),
    key=by(kpis.key),
    project=kpis.project,
    contribute=kpis.contribute,
).attach(metadata)

views = (pipelines, deals, customers, complaints, orders)

# Whom analytics listens to, and what their words mean.
hears = {
    "contacts": ContactsContract,
    "opportunities": OpportunitiesContract,
    "service-desk": ServiceDeskContract,
}
sources = {name: Contracts(name, union) for name, union in hears.items()}
