"""What one can ask of the reply policy."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DefineReplyPolicy:
    """Hours to the first reply, by priority; a priority that is not named takes `default_hours`."""

    default_hours: int
    hours: dict[str, int]


ReplyPolicyCommand = DefineReplyPolicy
