"""Read your writes: a read names what it must have seen, and waits a while until it has been received (A9)."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kernel.domain.errors import Refused
from kernel.web.requests import BadHeader, Call
from kernel.web.tokens import Place, TokenInvalid

TOKEN, PREFER, APPLIED = "Consistency-Token", "Prefer", "Preference-Applied"
LONGEST_WAIT = 5.0
_MOST_TOKENS = 8
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.1
_PREFERENCE = re.compile(r'\s*([A-Za-z-]+)\s*(?:=\s*"?([A-Za-z0-9.]*)"?)?\s*(?:;.*)?')
_SECONDS = re.compile(r"\d{1,9}(\.\d{1,3})?")

Heard = Callable[[Place], Awaitable[bool]]
"""Whether all that a place promises has arrived where the reader reads."""


class ProjectionBehind(Refused):
    code = "PROJECTION_BEHIND"


@dataclass(frozen=True, slots=True)
class Preferences:
    """RFC 7240: what is unknown or makes no sense is as if it were not there; the first of a name counts."""

    wait: float = 0.0
    strict: bool = False

    @property
    def applied(self) -> str:
        return f"wait={self.wait:g}, handling={'strict' if self.strict else 'lenient'}"


@dataclass(frozen=True, slots=True)
class Freshness:
    """`asked` is None when the read named nothing; `behind` when what it named has not all arrived."""

    asked: Preferences | None = None
    behind: bool = False

    def headers(self, lag_ms: int | None) -> dict[str, str]:
        if self.asked is None:
            return {}
        headers = {APPLIED: self.asked.applied}
        if self.behind:
            headers["Projection-Lag"] = "unknown" if lag_ms is None else str(lag_ms)
        return headers


def preferences(header: str) -> Preferences:
    found: dict[str, str] = {}
    for entry in header.split(","):
        match = _PREFERENCE.fullmatch(entry)
        if match:
            found.setdefault(match[1].lower(), match[2] or "")
    wait = found.get("wait", "")
    seconds = float(wait) if _SECONDS.fullmatch(wait) else 0.0
    return Preferences(min(seconds, LONGEST_WAIT), found.get("handling", "").lower() == "strict")


async def await_places(call: Call, heard: Heard) -> Freshness:
    """Waits, at most as long as preferred, until all that the request's tokens name has been heard.

    A read that then begins its snapshot sees it. Behind: a refusal if handling is strict, else told.
    """
    places = _places(call)
    if not places:
        return Freshness()
    asked = preferences(", ".join(call.request.headers.getlist(PREFER)))
    if await _heard_in_time(places, heard, asked.wait):
        return Freshness(asked)
    if asked.strict:
        raise ProjectionBehind("What the token names has not arrived yet.", waited_ms=int(asked.wait * 1000))
    return Freshness(asked, behind=True)


def header_parameters() -> list[dict[str, Any]]:
    return [
        {
            "name": TOKEN,
            "in": "header",
            "required": False,
            "description": "The token that a write answered; several are separated by commas. "
            "The answer includes what they name, or says that it does not.",
            "schema": {"type": "string"},
        },
        {
            "name": PREFER,
            "in": "header",
            "required": False,
            "description": "`wait` is how many seconds to wait for it, at most 5. "
            "`handling=strict` then answers 503, `lenient` answers what there is, with Projection-Lag.",
            "schema": {"type": "string"},
            "example": "wait=2, handling=strict",
        },
    ]


def _places(call: Call) -> Sequence[Place]:
    texts = [
        text.strip() for header in call.request.headers.getlist(TOKEN) for text in header.split(",") if text
    ]
    if len(texts) > _MOST_TOKENS:
        raise BadHeader(f"At most {_MOST_TOKENS} tokens can be named.", header=TOKEN)
    try:
        return [Place.parse(call.node.secret, text) for text in texts]
    except (TokenInvalid, ValueError, TypeError):
        raise BadHeader("The token was altered, or was not made by these services.", header=TOKEN) from None


async def _heard_in_time(places: Sequence[Place], heard: Heard, wait: float) -> bool:
    clock = asyncio.get_running_loop().time
    deadline, pause, missing = clock() + wait, _FIRST_PAUSE, list(places)
    while True:
        left = deadline - clock()
        missing = [place for place in missing if not await heard(place)]
        if not missing or left <= 0:
            return not missing
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 1.5, _LONGEST_PAUSE)
