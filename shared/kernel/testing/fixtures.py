"""What tests of a service start from: a migrated database, settings, tokens, and its API in this process."""

import atexit
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
from fastapi import FastAPI

from kernel.runtime.development import DevelopmentKey
from kernel.runtime.settings import Events, ServiceSettings

SECRET = "a secret of the tests, and of nothing else"  # noqa: S105
MASTER_KEYS = "1:" + "07" * 32
ADMIN = UUID("00000000-0000-7000-8000-00000000ad31")


@cache
def development_key() -> DevelopmentKey:
    folder = tempfile.TemporaryDirectory(prefix="guanxi-key-")
    # It lasts as long as the process: whoever holds a token may still ask what it was signed with.
    atexit.register(folder.cleanup)
    return DevelopmentKey(Path(folder.name))


def token(
    *roles: str, subject: UUID = ADMIN, teams: Sequence[str] = (), lifetime: float = 3600, **claims: str
) -> str:
    return development_key().token(subject, roles or ("admin",), teams, lifetime=lifetime, **claims)


def bearer(*roles: str, subject: UUID = ADMIN, teams: Sequence[str] = ()) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(*roles, subject=subject, teams=teams)}"}


def make_settings(url: str, **said: Any) -> ServiceSettings:
    values: dict[str, Any] = {
        "environment": "development",
        "database_url": url,
        "signing_secret": SECRET,
        "master_keys": MASTER_KEYS,
        "jwks_file": development_key().jwks_file,
        "events": Events.FEED,
        "service_token": token("service"),
        "feed_wait": 0.2,
    }
    return ServiceSettings(**(values | said))


def new_key() -> dict[str, str]:
    return {"Idempotency-Key": f"test-{uuid4()}"}


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[None]:
    """The app's lifespan, without a server."""
    async with app.router.lifespan_context(app):
        yield


@asynccontextmanager
async def api(app: FastAPI, *roles: str, **who: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an app in this process, with a token of these roles (admin, if none is named)."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://service", headers=bearer(*roles, **who)
    ) as client:
        yield client
