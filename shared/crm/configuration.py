"""The settings of a service process: all that is wrong with them at once, and what they are."""

import logging
import os
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kernel.runtime.settings import KafkaSettings, ServiceSettings
from pydantic import SecretStr, ValidationError
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from crm.failures import Failure

PREFIX = "CRM_"
# What other programs of ours read.
OTHERS = {"CRM_SECRETS_DIR", "CRM_POSTGRES_BIN", "CRM_LOCAL", "CRM_PORT_BASE", "CRM_HOST", "CRM_PORT"}
MOST_ROUNDS = 20

# Put in the place of a wrong value, so that what is checked after it is checked too.
SOUND: dict[str, Any] = {
    "database_url": "postgresql://host/database",
    "signing_secret": "x" * 32,
    "master_keys": "1:" + "00" * 32,
    "jwks_file": Path("sound.json"),
}


def load() -> ServiceSettings:
    """Reports everything that is wrong in one sentence."""
    found = problems()
    if found:
        raise Failure(f"The settings are not complete: {'; '.join(found)}.")
    return ServiceSettings()


def of_kafka(bootstrap: str) -> KafkaSettings:
    """For who makes topics, and needs nothing else of a service."""
    try:
        settings = KafkaSettings(kafka_bootstrap=bootstrap)
        found = list(_unusable_authority(settings.kafka_ca_file))
    except ValidationError as error:
        found = [_sentence(entry) for entry in error.errors()]
    if found:
        raise Failure(f"The settings are not complete: {'; '.join(found)}.")
    return settings


def problems() -> list[str]:
    found: list[str] = []
    sound: dict[str, Any] = {}
    for _ in range(MOST_ROUNDS):
        try:
            settings = ServiceSettings(**sound)
        except ValidationError as error:
            news = [_sentence(entry) for entry in error.errors() if not set(entry["loc"]) & set(sound)]
            found += [sentence for sentence in news if sentence not in found]
            sound |= _replacements(error)
        else:
            return [*found, *_unusable(settings, sound)]
    return found


def shown(settings: ServiceSettings) -> Iterator[tuple[str, str]]:
    """Name and value of every setting, secrets masked."""
    for name in ServiceSettings.model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            value = "********" if value.get_secret_value() else ""
        elif name == "database_url":
            value = _without_password(value)
        yield f"{PREFIX}{name.upper()}", "" if value is None else str(value)


def _without_password(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "********"


def _sentence(entry: Any) -> str:
    what = entry["msg"].removeprefix("Value error, ")
    if not entry["loc"]:
        return str(what)
    name = f"{PREFIX}{str(entry['loc'][0]).upper()}"
    return f"{name} is missing" if entry["type"] == "missing" else f"{name}: {what[:1].lower()}{what[1:]}"


def _replacements(error: ValidationError) -> dict[str, Any]:
    replaced: dict[str, Any] = {}
    for entry in error.errors():
        name = str(entry["loc"][0]) if entry["loc"] else ""
        if name in KafkaSettings.model_fields or (not name and "KAFKA" in entry["msg"]):
            # They are judged by each other, so that one wrong one would make the others look wrong.
            replaced |= {each: field.get_default() for each, field in KafkaSettings.model_fields.items()}
        elif name:
            replaced[name] = SOUND.get(name, ServiceSettings.model_fields[name].get_default())
        else:
            # Of the checks over several settings the first that fails speaks alone.
            name = "jwks_file" if "JWKS" in entry["msg"] else "master_keys"
            replaced[name] = SOUND[name]
    return replaced


def _unusable(settings: ServiceSettings, sound: dict[str, Any]) -> Iterator[str]:
    """Values that are well-formed and still do not work."""
    file = settings.jwks_file
    if file and "jwks_file" not in sound and not os.access(file, os.R_OK):
        yield f"CRM_JWKS_FILE: {file} cannot be read"
    yield from _unusable_authority(settings.kafka_ca_file)
    if settings.log_level.upper() not in logging.getLevelNamesMapping():
        yield f"CRM_LOG_LEVEL: {settings.log_level!r} is not a level; take debug, info, warning or error"
    for name, url in settings.feed_urls().items():
        if not url.startswith(("http://", "https://")):
            yield f"CRM_FEEDS: {name}={url} is not of the form name=http://host:port"
    if settings.environment not in ("development", "production"):
        yield f"CRM_ENVIRONMENT: {settings.environment!r} is neither development nor production"


def _unusable_authority(file: Path | None) -> Iterator[str]:
    try:
        if file:
            ssl.create_default_context(cafile=file)
    except OSError:
        yield f"CRM_KAFKA_CA_FILE: {file} cannot be read, or holds no certificate"


def unknown() -> Iterator[str]:
    """A misspelt name would pass unnoticed; an error it is not, since Kubernetes sets names of this form too."""
    known = {f"{PREFIX}{name.upper()}" for name in ServiceSettings.model_fields} | OTHERS
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in known:
            yield name
