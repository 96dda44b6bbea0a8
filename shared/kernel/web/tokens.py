"""Opaque, signed tokens: cursors and consistency tokens that clients carry and cannot alter."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from hmac import compare_digest
from hmac import digest as hmac_digest
from typing import Any
from uuid import UUID

from pydantic_core import from_json, to_json

_MAC = 16


class TokenInvalid(ValueError):
    """Altered, cut short, or not one of ours."""


def sign(secret: bytes, purpose: str, payload: Any) -> str:
    body = to_json(payload)
    mac = hmac_digest(secret, purpose.encode() + b"\0" + body, "sha256")[:_MAC]
    return urlsafe_b64encode(mac + body).rstrip(b"=").decode()


def verify(secret: bytes, purpose: str, token: str) -> Any:
    try:
        raw = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
    except ValueError:
        raise TokenInvalid(purpose) from None
    mac = hmac_digest(secret, purpose.encode() + b"\0" + raw[_MAC:], "sha256")[:_MAC]
    if len(raw) <= _MAC or not compare_digest(mac, raw[:_MAC]):
        raise TokenInvalid(purpose)
    return from_json(raw[_MAC:])


@dataclass(frozen=True, slots=True)
class Place:
    """A position in one incarnation of one service's log."""

    service: str
    incarnation: UUID
    position: int

    def token(self, secret: bytes) -> str:
        return sign(secret, "consistency", [self.service, self.incarnation, self.position])

    @classmethod
    def parse(cls, secret: bytes, token: str) -> "Place":
        service, incarnation, position = verify(secret, "consistency", token)
        return cls(service, UUID(incarnation), position)
