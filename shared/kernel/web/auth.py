"""Who calls: bearer tokens of the configured issuer, checked once and remembered until they expire."""

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

import httpx
import jwt
import structlog

from kernel.domain.errors import Refused
from kernel.runtime.settings import ServiceSettings
from kernel.storage.failures import Unavailable

log = structlog.get_logger()

ALGORITHMS = ("RS256", "ES256", "EdDSA")
DEVELOPMENT_KEY = "development"
_REMEMBERED = 10_000
_SILENT = "The issuer of tokens does not answer."
_REFETCH_AFTER = 300.0
_AGAIN_AFTER_FAILURE = 1.0


class Role(StrEnum):
    SALES_REP = "sales_rep"
    SALES_MANAGER = "sales_manager"
    SERVICE_AGENT = "service_agent"
    SERVICE_MANAGER = "service_manager"
    ANALYST = "analyst"
    ADMIN = "admin"
    SERVICE = "service"


class Unauthenticated(Refused):
    code = "UNAUTHENTICATED"


@dataclass(frozen=True, slots=True)
class Principal:
    """`teams` are those whose records a manager sees; `expires` is in seconds since 1970."""

    sub: UUID
    roles: frozenset[Role]
    teams: frozenset[str]
    expires: float


class Authenticator:
    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings
        self._keys: dict[str, jwt.PyJWK] = {}
        self._not_before = 0.0
        self._silent = False
        self._fetching = asyncio.Lock()
        self._remembered: OrderedDict[str, Principal] = OrderedDict()

    async def principal(self, token: str) -> Principal:
        """Raises `Unauthenticated` with a code that says why."""
        known = self._remembered.get(token)
        if known is None:
            known = self._principal(await self._claims(token))
            self._remembered[token] = known
            if len(self._remembered) > _REMEMBERED:
                self._remembered.popitem(last=False)
        if known.expires <= time.time():
            self._remembered.pop(token, None)
            raise Unauthenticated("The token has expired.", code="TOKEN_EXPIRED")
        return known

    async def _claims(self, token: str) -> dict[str, Any]:
        try:
            key = await self._key(jwt.get_unverified_header(token).get("kid", ""))
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self._settings.audience,
                issuer=self._settings.issuer,
                options={"require": ["exp", "sub", "iss", "aud"]},
            )
            return claims
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("The token has expired.", code="TOKEN_EXPIRED") from None
        except (jwt.PyJWTError, ValueError):
            raise Unauthenticated("The token is not valid.", code="TOKEN_INVALID") from None

    def _principal(self, claims: dict[str, Any]) -> Principal:
        try:
            return Principal(
                UUID(claims["sub"]),
                frozenset(Role(role) for role in claims.get("roles", ()) if role in Role._value2member_map_),
                frozenset(str(team) for team in claims.get("teams", ())),
                float(claims["exp"]),
            )
        except (ValueError, TypeError):
            raise Unauthenticated("The token's claims are not valid.", code="TOKEN_INVALID") from None

    async def _key(self, kid: str) -> jwt.PyJWK:
        if kid not in self._keys:
            async with self._fetching:
                if kid not in self._keys and time.monotonic() > self._not_before:
                    await self._fetch()
        if kid not in self._keys:
            if self._silent:
                raise Unavailable(_SILENT)
            raise jwt.InvalidKeyError("unknown key")
        if kid.startswith(DEVELOPMENT_KEY) and self._settings.environment != "development":
            raise jwt.InvalidKeyError("development keys are for development alone")
        return self._keys[kid]

    async def _fetch(self) -> None:
        """An unknown key may be a new one, but a stranger must not make us ask the issuer all the time."""
        self._not_before = time.monotonic() + _AGAIN_AFTER_FAILURE
        try:
            found = jwt.PyJWKSet.from_json(await self._document())
        except (httpx.HTTPError, OSError, ValueError, jwt.PyJWKSetError) as error:
            log.warning("issuer_unreachable", error=repr(error))
            self._silent = True
            # From the failure on, so that whoever waited for it does not wait for one of his own.
            self._not_before = time.monotonic() + _AGAIN_AFTER_FAILURE
            raise Unavailable(_SILENT) from None
        self._silent = False
        self._keys = {key.key_id or "": key for key in found.keys}
        if self._settings.jwks_url:
            self._not_before = time.monotonic() + _REFETCH_AFTER

    async def _document(self) -> str:
        if self._settings.jwks_file:
            return await asyncio.to_thread(self._settings.jwks_file.read_text)
        async with httpx.AsyncClient(timeout=5) as client:
            answer = await client.get(self._settings.jwks_url or "")
            return answer.raise_for_status().text
