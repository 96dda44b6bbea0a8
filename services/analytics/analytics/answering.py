"""What every answer says of itself, and the one way in which a question over HTTP becomes an answer."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from kernel.domain.money import Money
from kernel.messaging.service import Node
from kernel.web.consistency import Freshness, await_places
from kernel.web.documents import Responses, read_responses
from kernel.web.fields import MoneyField
from kernel.web.requests import Call
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from analytics.asking import FiguresQuery, PositionQuery
from analytics.freshness.arrivals import has_heard
from analytics.reading import Knowledge, company_zone, knowledge, lag_ms
from analytics.semantics import Period


class AsOf(BaseModel):
    """Of what the answer speaks. Asked later with both `as_of_position` and `as_of_time`, the figures are the same."""

    model_config = ConfigDict(populate_by_name=True)

    as_of_position: int = Field(description="place in analytics' own log", examples=[18_204])
    as_of_time: datetime = Field(
        description="the moment from which the answer looks back", examples=["2026-06-30T09:12:44.120000Z"]
    )
    lag_ms: int | None = Field(
        description="age of the newest moment up to which all sources are complete; "
        "null while that is unknown, and for an earlier position",
        examples=[240],
    )
    parked: int = Field(description="records' streams that are left out until repaired", examples=[0])


class Basis(AsOf):
    """How it was counted: answers of another basis are other figures, never comparable ones."""

    view: str
    mode: str | None = None
    attribution: str | None = Field(None, description="whose it is: at_step, entry or current owner")
    window_days: int | None = None
    zone: str = Field(examples=["Asia/Shanghai"])


class PeriodOut(BaseModel):
    """Days in the zone: from the first, up to and without the second."""

    model_config = ConfigDict(populate_by_name=True)

    from_: str = Field(serialization_alias="from", examples=["2026-01-01"])
    to: str = Field(examples=["2026-07-01"])

    @classmethod
    def of(cls, period: Period) -> "PeriodOut":
        return cls(from_=period.start.isoformat(), to=period.end.isoformat())

    @classmethod
    def of_months(cls, period: Period) -> "PeriodOut":
        return cls(from_=period.start.isoformat()[:7], to=period.end.isoformat()[:7])


def as_of(known: Knowledge) -> dict[str, Any]:
    standing = known.standing
    return {
        "as_of_position": known.position,
        "as_of_time": known.now,
        "lag_ms": lag_ms(standing.now, standing.complete_at) if known.upto is None else None,
        "parked": standing.parked,
    }


def zone_of(node: Node, query: FiguresQuery) -> ZoneInfo:
    return ZoneInfo(query.zone) if query.zone else company_zone(node)


def money(minor_by_currency: Mapping[str, int]) -> list[MoneyField]:
    """Each currency apart: amounts of two are never added up."""
    return [amount(minor, currency) for currency, minor in sorted(minor_by_currency.items())]


def amount(minor: int, currency: str) -> MoneyField:
    return MoneyField.model_construct(amount=Money(minor, currency).amount, currency=currency)


async def answered(
    call: Call, answer: Callable[[Knowledge], Awaitable[BaseModel]], asked: PositionQuery | None = None
) -> Response:
    """Permission, then freshness, then everything from one snapshot."""
    call.policy.read_scope(call.principal, "figures")
    freshness = await await_places(call, partial(has_heard, call.node))
    async with knowledge(call.node, asked) as known:
        body = await answer(known)
        return _response(body, known, freshness)


def _response(body: BaseModel, known: Knowledge, freshness: Freshness) -> Response:
    standing = known.standing
    headers = {
        "Projection-Position": str(known.position),
        "Cache-Control": "private, no-cache",
        **freshness.headers(lag_ms(standing.now, standing.complete_at)),
    }
    return Response(body.model_dump_json(by_alias=True), headers=headers, media_type="application/json")


def figure_responses() -> Responses:
    return read_responses() | {
        200: {
            "headers": {
                "Projection-Position": {"schema": {"type": "string"}, "description": "as_of_position"}
            }
        }
    }
