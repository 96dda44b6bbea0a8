"""The reply policy: decider and stored facts, tied together; there is one, and everyone with the role sees it."""

from kernel.storage.aggregate import Aggregate
from kernel.storage.codec import EventCodec

from service_desk.policy.decider import reply_policy_decider
from service_desk.policy.events import ReplyPolicyEvent

reply_policy = Aggregate(
    category="reply_policy", decider=reply_policy_decider, codec=EventCodec(ReplyPolicyEvent)
)
