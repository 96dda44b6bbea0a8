"""What every service may be told: environment variables with the prefix `CRM_`, or files of the same names."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self
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


class KafkaSecurity(StrEnum):
    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"

    @property
    def encrypts(self) -> bool:
        return self in (KafkaSecurity.SSL, KafkaSecurity.SASL_SSL)

    @property
    def asks_who(self) -> bool:
        return self in (KafkaSecurity.SASL_PLAINTEXT, KafkaSecurity.SASL_SSL)


class SaslMechanism(StrEnum):
    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not an IANA time zone") from None
    return name


class KafkaSettings(BaseSettings):
    """Where Kafka is and how we show who we are: all that `crm topics` must know."""

    model_config = SettingsConfigDict(
        env_prefix="CRM_", secrets_dir=os.environ.get("CRM_SECRETS_DIR"), extra="ignore", frozen=True
    )

    kafka_bootstrap: str = "127.0.0.1:9092"
    kafka_security_protocol: KafkaSecurity = KafkaSecurity.PLAINTEXT
    kafka_ca_file: Path | None = Field(
        None, description="who signed the brokers' certificates; by default whom the system trusts"
    )
    kafka_sasl_mechanism: SaslMechanism | None = Field(None, description="PLAIN, if not said")
    kafka_sasl_username: str = ""
    kafka_sasl_password: SecretStr = SecretStr("")

    @model_validator(mode="after")
    def _kafka(self) -> Self:
        security = self.kafka_security_protocol
        named, known = bool(self.kafka_sasl_username), bool(self.kafka_sasl_password.get_secret_value())
        if security.asks_who and not (named and known):
            raise ValueError(
                f"CRM_KAFKA_SECURITY_PROTOCOL={security} needs CRM_KAFKA_SASL_USERNAME and CRM_KAFKA_SASL_PASSWORD"
            )
        if not security.asks_who and (named or known or self.kafka_sasl_mechanism):
            raise ValueError(
                f"CRM_KAFKA_SECURITY_PROTOCOL={security} uses no CRM_KAFKA_SASL_...; SASL_SSL and SASL_PLAINTEXT do"
            )
        if self.kafka_ca_file and not security.encrypts:
            raise ValueError(
                f"CRM_KAFKA_SECURITY_PROTOCOL={security} uses no CRM_KAFKA_CA_FILE; SSL and SASL_SSL do"
            )
        return self


class ServiceSettings(KafkaSettings):
    environment: str = Field("production", description="development or production")
    database_url: str = Field(description="postgresql://user:password@host/database")
    role: Role = Role.ALL
    signing_secret: SecretStr = Field(
        min_length=32,
        description="signs cursors and consistency tokens of all services, and keys the unique values and the "
        "fingerprints of commands that their databases hold: never change it once there is data",
    )
    master_keys: SecretStr = Field(
        description="keys that wrap the persons' keys: '1:<64 hex digits>', newest last, separated by commas"
    )
    jwks_file: Path | None = Field(None, description="public keys of the token issuer, a JWKS document")
    jwks_url: str | None = Field(None, description="where the issuer serves its JWKS document")
    issuer: str = "guanxi"
    audience: str = "crm"
    events: Events = Events.KAFKA
    partitions: int = Field(12, ge=1, le=1000)
    feeds: str = Field(
        "", description="where the other services answer: 'contacts=http://…,opportunities=http://…'"
    )
    service_token: SecretStr = Field(
        SecretStr(""), description="bearer token of role `service`, to read the feeds"
    )
    service_token_file: Path | None = Field(
        None,
        description="holds that token, in place of it, and is read for each request: for tokens that expire",
    )
    erasures_file: Path | None = Field(
        None,
        description="append-only list of this service's erased persons, outside the database: every worker keeps "
        "it, `crm restored` needs it",
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

    def current_service_token(self) -> str:
        if self.service_token_file is None:
            return self.service_token.get_secret_value()
        return self.service_token_file.read_text("ascii").strip()

    def feed_urls(self) -> dict[str, str]:
        pairs = (entry.strip().partition("=") for entry in self.feeds.split(",") if entry.strip())
        return {name: url.rstrip("/") for name, _, url in pairs}
