"""The reply policy over HTTP: define it, read what holds now."""

from typing import Annotated

from fastapi import APIRouter
from kernel.storage.aggregate import Handled
from kernel.web.commands import CommandBody, Operation, route
from kernel.web.fields import Slug
from kernel.web.problems import register
from kernel.web.reads import RecordRead, show
from pydantic import BaseModel, Field

from service_desk.policy.aggregate import reply_policy
from service_desk.policy.commands import DefineReplyPolicy
from service_desk.policy.decider import MOST_HOURS, REPLY_POLICY_ID, ReplyPolicy
from service_desk.policy.events import ReplyPolicyEvent
from service_desk.problems import PROBLEMS

# Before the routes: each documents the problems that are registered when it is made.
register(PROBLEMS)
router = APIRouter(tags=["reply policy"])

Hours = Annotated[int, Field(ge=1, le=MOST_HOURS)]


class Definition(CommandBody):
    default_hours: Hours = Field(
        description="for a priority that `hours` does not name", examples=[24], strict=True
    )
    hours: dict[Slug, Hours] = Field(
        max_length=50,
        description="hours to the first reply, by priority",
        examples=[{"urgent": 4, "low": 72}],
        # The pattern alone would let a document's reader send any other name as well.
        json_schema_extra={"additionalProperties": False},
    )

    def command(self) -> DefineReplyPolicy:
        return DefineReplyPolicy(default_hours=self.default_hours, hours=self.hours)


class ReplyPolicyOut(BaseModel):
    """Version 0 is the shipped default."""

    version: int
    default_hours: int
    hours: dict[str, int]

    @classmethod
    def of(cls, handled: Handled[ReplyPolicy, ReplyPolicyEvent]) -> "ReplyPolicyOut":
        return cls.holding(handled.state)

    @classmethod
    def holding(cls, policy: ReplyPolicy) -> "ReplyPolicyOut":
        return cls(version=policy.version, default_hours=policy.default_hours, hours=policy.hours)


operations = route(
    router,
    [
        Operation(
            id="reply-policy.define",
            path="/v1/reply-policy",
            method="PUT",
            aggregate=reply_policy,
            stream_id=REPLY_POLICY_ID,
            body=Definition,
            answer=ReplyPolicyOut.of,
            model=ReplyPolicyOut,
            summary="Define how soon a first reply is promised",
            if_match=True,
        ),
    ],
)


reads = show(
    router,
    [
        RecordRead(
            id="reply-policy.read",
            path="/v1/reply-policy",
            aggregate=reply_policy,
            stream_id=REPLY_POLICY_ID,
            of=ReplyPolicyOut.of,
            model=ReplyPolicyOut,
            summary="Read the reply policy that holds now",
        ),
    ],
)
