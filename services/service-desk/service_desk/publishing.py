"""What of a complaint and its policy is told to others: ids, slugs and times, no word of the text."""

from typing import assert_never
from uuid import UUID

from contracts import service_desk as public
from kernel.domain.recorded import Recorded

from service_desk.complaint.events import (
    ComplaintAssigned,
    ComplaintClosed,
    ComplaintEscalated,
    ComplaintEvent,
    ComplaintRegistered,
    ComplaintReopened,
    ComplaintResolved,
    FirstReplyOverdue,
    FirstReplySent,
    ResolutionConfirmed,
)
from service_desk.policy.events import ReplyPolicyDefined, ReplyPolicyEvent


def publish(event: Recorded[ReplyPolicyEvent | ComplaintEvent]) -> public.ServiceDeskContract:
    match event.fact:
        case ReplyPolicyDefined() as fact:
            return public.ReplyPolicyDefined(
                policy_id=event.stream_id,
                policy_version=fact.version,
                default_hours=fact.default_hours,
                hours=fact.hours,
            )
        case _ as fact:
            return told_of_complaint(event.stream_id, fact)


def told_of_complaint(complaint_id: UUID, fact: ComplaintEvent) -> public.ServiceDeskContract:
    match fact:
        case ComplaintRegistered():
            return told_of_registration(complaint_id, fact)
        case ComplaintAssigned():
            return public.ComplaintAssigned(
                complaint_id=complaint_id,
                owner_id=fact.owner_id,
                owner_team=fact.owner_team,
                previous_owner_id=fact.previous_owner_id,
                previous_owner_team=fact.previous_owner_team,
            )
        case ComplaintEscalated():
            return public.ComplaintEscalated(complaint_id=complaint_id, reason=fact.reason)
        case FirstReplySent():
            return public.FirstReplySent(complaint_id=complaint_id)
        case FirstReplyOverdue():
            return public.FirstReplyOverdue(complaint_id=complaint_id, due_at=fact.due_at)
        case ComplaintResolved():
            return public.ComplaintResolved(complaint_id=complaint_id, episode=fact.episode)
        case ResolutionConfirmed():
            return public.ResolutionConfirmed(complaint_id=complaint_id, episode=fact.episode)
        case ComplaintReopened():
            return public.ComplaintReopened(complaint_id=complaint_id, episode=fact.episode)
        case ComplaintClosed():
            return public.ComplaintClosed(complaint_id=complaint_id, episode=fact.episode)
        case _:
            assert_never(fact)


def told_of_registration(complaint_id: UUID, fact: ComplaintRegistered) -> public.ComplaintRegistered:
    return public.ComplaintRegistered(
        complaint_id=complaint_id,
        customer_id=fact.customer_id,
        person_id=fact.person_id,
        channel=fact.channel,
        category=fact.category,
        priority=fact.priority,
        owner_id=fact.owner_id,
        owner_team=fact.owner_team,
        reply_due_at=fact.reply_due_at,
        policy_id=fact.policy_id,
        policy_version=fact.policy_version,
    )
