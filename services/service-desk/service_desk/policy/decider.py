"""The rules of the reply policy: the hours to the first reply, in numbered versions."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from kernel.domain.decider import Decider
from kernel.domain.errors import Invalid
from kernel.domain.ids import named_id

from service_desk.policy.commands import DefineReplyPolicy, ReplyPolicyCommand
from service_desk.policy.events import ReplyPolicyDefined, ReplyPolicyEvent

REPLY_POLICY_ID = named_id("reply-policy")
# A bound that no promise comes near and that keeps a due time inside the calendar.
MOST_HOURS = 366 * 24


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyPolicy:
    """Blank it is the shipped default: version 0, a day for everything."""

    version: int = 0
    default_hours: int = 24
    hours: dict[str, int] = field(default_factory=dict)

    def time_to_reply(self, priority: str) -> timedelta:
        return timedelta(hours=self.hours.get(priority, self.default_hours))


def decide(policy: ReplyPolicy, command: ReplyPolicyCommand) -> Sequence[ReplyPolicyEvent]:
    must_promise_possible_hours(command)
    if (policy.default_hours, policy.hours) == (command.default_hours, command.hours):
        return []
    return [
        ReplyPolicyDefined(
            version=policy.version + 1,
            default_hours=command.default_hours,
            hours=command.hours,
            previous_default_hours=policy.default_hours,
            previous_hours=policy.hours,
        )
    ]


def evolve(policy: ReplyPolicy, event: ReplyPolicyEvent) -> ReplyPolicy:
    return ReplyPolicy(version=event.version, default_hours=event.default_hours, hours=event.hours)


def must_promise_possible_hours(command: DefineReplyPolicy) -> None:
    if not all(1 <= hours <= MOST_HOURS for hours in (command.default_hours, *command.hours.values())):
        raise Invalid(
            f"A reply is promised within 1 to {MOST_HOURS} hours.",
            code="REPLY_HOURS_INVALID",
            most=MOST_HOURS,
        )


reply_policy_decider = Decider(decide=decide, evolve=evolve, initial=ReplyPolicy())
