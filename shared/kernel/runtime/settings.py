"""What every service may be told: environment variables with the prefix `CRM_`, or files of the same names."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Events(StrEnum):
    FEED = "feed"
    KAFKA = "kafka"


class Role(StrEnum):
    """Which part of a service this process is."""

    ALL = "all"
    API = "api"
    WORKER = "worker"


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not an IANA time zone") from None
    return name


class ServiceSettings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="CRM_", secrets_dir=os.environ.get("CRM_SECRETS_DIR"), extra="ignore", frozen=True
    )

    environment: str = Field("production", description="development or production")
    database_url: str = Field(description="postgresql://user:password@host/database")
    role: Role = Role.ALL
    signing_secret: SecretStr = Field(
        description="signs cursors and consistency tokens of all services", min_length=32
    )
    master_keys: SecretStr = Field(
        description="keys that wrap the persons' keys: '1:<64 hex digits>', newest last, separated by commas"
    )
    jwks_file: Path | None = Field(None, description="public keys of the token issuer, a JWKS document")
    jwks_url: str | None = Field(None, description="where the issuer serves its JWKS document")
    issuer: str = "guanxi"
    audience: str = "crm"
    events: Events = Events.KAFKA
    kafka_bootstrap: str = "127.0.0.1:9092"
    partitions: int = Field(12, ge=1, le=1000)
    feeds: str = Field(
        "", description="where the other services answer: 'contacts=http://…,opportunities=http://…'"
    )
    service_token: SecretStr = Field(
        SecretStr(""), description="bearer token of role `service`, to read the feeds"
    )
    erasures_file: Path | None = Field(
        None, description="append-only list of erased persons, outside the database"
    )
    zone: Annotated[str, AfterValidator(_zone)] = Field(
        "Asia/Shanghai", description="the company's time zone"
    )
    cors_origins: str = ""
    log_level: str = "info"
    feed_wait: float = Field(25.0, description="the longest a reader of the feed waits for news, in seconds")

    @model_validator(mode="after")
    def _complete(self) -> "ServiceSettings":
        if not self.jwks_file and not self.jwks_url:
            raise ValueError("either CRM_JWKS_FILE or CRM_JWKS_URL says whose tokens are accepted")
        self.masters()
        return self

    def masters(self) -> dict[int, bytes]:
        masters: dict[int, bytes] = {}
        for entry in self.master_keys.get_secret_value().split(","):
            number, _, key = entry.strip().partition(":")
            try:
                masters[int(number)] = bytes.fromhex(key)
            except ValueError:
                raise ValueError("CRM_MASTER_KEYS is a list of number:hex pairs") from None
            if len(masters[int(number)]) != 32 or not 0 < int(number) < 256:  # one byte stores the number
                raise ValueError("a master key has 64 hex digits and a number from 1 to 255")
        return masters

    def feed_urls(self) -> dict[str, str]:
        pairs = (entry.strip().partition("=") for entry in self.feeds.split(",") if entry.strip())
        return {name: url.rstrip("/") for name, _, url in pairs}
