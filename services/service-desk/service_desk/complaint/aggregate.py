"""The complaint: decider, stored facts, queue, owner, the policy it is decided under, and the timer it asks for."""

from datetime import datetime
from uuid import UUID

from kernel.storage.aggregate import Aggregate, Rules, Timers
from kernel.storage.codec import EventCodec

from service_desk.complaint.commands import ComplaintCommand, NoteReplyOverdue, RegisterComplaint
from service_desk.complaint.decider import Complaint, complaint_decider, reply_deadlines
from service_desk.complaint.events import ComplaintEvent
from service_desk.complaint.views.queue import queue
from service_desk.policy.aggregate import reply_policy
from service_desk.policy.decider import REPLY_POLICY_ID


def policy_for(complaint: Complaint, command: ComplaintCommand) -> UUID | None:
    """Only a registration promises a reply; what was promised never moves."""
    return REPLY_POLICY_ID if isinstance(command, RegisterComplaint) else None


def note_overdue(kind: str, at: datetime) -> ComplaintCommand:
    return NoteReplyOverdue(at=at)


complaint = Aggregate(
    category="complaint",
    decider=complaint_decider,
    codec=EventCodec(ComplaintEvent),
    views=(queue,),
    rules=Rules(aggregate=reply_policy, which=policy_for),
    timers=Timers(due=reply_deadlines, command=note_overdue),
    owner=lambda state: state,
)
