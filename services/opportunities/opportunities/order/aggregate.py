"""The order: decider, stored facts, read model and owner, tied together."""

from kernel.storage.aggregate import Aggregate
from kernel.storage.codec import EventCodec

from opportunities.order.decider import order_decider
from opportunities.order.events import OrderEvent
from opportunities.order.views.listing import listing

order = Aggregate(
    category="order",
    decider=order_decider,
    codec=EventCodec(OrderEvent),
    views=(listing,),
    owner=lambda state: state,
)
