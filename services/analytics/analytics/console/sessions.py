"""Who looks at the console: a link that opens it once, then a signed cookie that says who it was made for."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from fastapi import Request
from kernel.domain import clock
from kernel.domain.errors import Refused
from kernel.messaging.service import Node
from kernel.storage.tables import Instant
from kernel.web.auth import Principal, Role
from kernel.web.tokens import TokenInvalid, sign, verify
from pydantic_core import from_json, to_json
from sqlalchemy import Column, LargeBinary, Table
from sqlalchemy.dialects.postgresql import JSONB
from starlette.responses import Response

from analytics.views import metadata

COOKIE = "crm_console"
PATH = "/console"
LINK_LIVES = timedelta(minutes=10)
SESSION_LIVES = timedelta(hours=12)
_PURPOSE = "console-session"

# Only a digest of the ticket is kept: whoever reads the table cannot enter.
tickets = Table(
    "console_tickets",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("principal", JSONB, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

_ISSUE = """
WITH swept AS (DELETE FROM console_tickets WHERE expires_at <= clock_timestamp())
INSERT INTO console_tickets (digest, principal, expires_at) VALUES ($1, $2::jsonb, clock_timestamp() + $3)
RETURNING expires_at
"""
# One statement, so that of several processes that are shown the same ticket one alone lets it in.
_REDEEM = """
WITH redeemed AS (DELETE FROM console_tickets WHERE digest = $1 RETURNING principal, expires_at)
SELECT principal FROM redeemed WHERE expires_at > clock_timestamp()
"""


class NoSession(Refused):
    """Nobody is signed in here, or not any more."""

    code = "UNAUTHENTICATED"


@dataclass(frozen=True, slots=True)
class Link:
    url: str
    expires_at: datetime


async def issue(node: Node, principal: Principal) -> Link:
    ticket = secrets.token_urlsafe(32)
    async with node.database.reading() as connection:
        expires_at = await connection.fetchval(_ISSUE, _digest(ticket), _dump(principal), LINK_LIVES)
    return Link(f"{PATH}/enter?ticket={ticket}", expires_at)


async def redeem(node: Node, ticket: str) -> Principal:
    """Raises `NoSession` for a ticket that was used, has expired or never was."""
    # Of the few that stay open: anybody may ask this.
    async with node.database.reading() as connection:
        found = await connection.fetchval(_REDEEM, _digest(ticket))
    if found is None:
        raise NoSession("This link was used before, or is older than ten minutes.")
    return _load(from_json(found), (clock.now() + SESSION_LIVES).timestamp())


def welcome(node: Node, principal: Principal, response: Response) -> None:
    """The cookie is for the console's pages alone and no script can read it."""
    response.set_cookie(
        COOKIE,
        sign(node.secret, _PURPOSE, [from_json(_dump(principal)), principal.expires]),
        max_age=int(SESSION_LIVES.total_seconds()),
        path=PATH,
        secure=is_secure(node),
        httponly=True,
        samesite="strict",
    )


def farewell(node: Node, response: Response) -> None:
    response.delete_cookie(COOKIE, path=PATH, secure=is_secure(node), httponly=True, samesite="strict")


def visitor(node: Node, request: Request) -> Principal:
    """Raises `NoSession` unless the request carries a cookie of ours whose time is not over."""
    cookie = request.cookies.get(COOKIE)
    if cookie is None:
        raise NoSession("Nobody is signed in.")
    try:
        said, expires = verify(node.secret, _PURPOSE, cookie)
        principal = _load(said, float(expires))
    except (TokenInvalid, ValueError, TypeError, KeyError):
        raise NoSession("This is not a session of ours.") from None
    if principal.expires <= clock.now().timestamp():
        raise NoSession("The session is over.")
    return principal


def is_secure(node: Node) -> bool:
    return node.settings.environment != "development"


def _digest(ticket: str) -> bytes:
    return sha256(ticket.encode()).digest()


def _dump(principal: Principal) -> str:
    said = {"sub": principal.sub, "roles": sorted(principal.roles), "teams": sorted(principal.teams)}
    return to_json(said).decode()


def _load(said: dict[str, Any], expires: float) -> Principal:
    roles = frozenset(Role(role) for role in said["roles"])
    return Principal(UUID(said["sub"]), roles, frozenset(said["teams"]), expires)
