"""One data key per person, wrapped by a master key; destroying the wrapped key erases the person.

AES-256-GCM throughout. A sealed object is bound to its person and its event, so that it can be read in no other place.
"""

import os
from base64 import b64decode, b64encode
from collections.abc import Mapping
from hashlib import sha256
from hmac import digest as hmac_digest
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic_core import to_json

from kernel.storage.codec import Json, parsed

_KEY = 32
_NONCE = 12


class KeyUnreadable(Exception):
    """A stored key opens with none of the master keys that this process was given."""


class Keyring:
    """`masters`: number → 32 bytes. The highest number wraps new keys; the others still open old ones."""

    def __init__(self, masters: Mapping[int, bytes], secret: bytes) -> None:
        self._masters = {number: AESGCM(key) for number, key in masters.items()}
        self._current = max(masters)
        self._unique = sha256(b"unique-values" + secret).digest()

    def new_key(self, person_id: UUID) -> tuple[bytes, bytes]:
        """A fresh data key, plain and wrapped."""
        random = os.urandom(_KEY + _NONCE)
        key, nonce = random[:_KEY], random[_KEY:]
        sealed = self._masters[self._current].encrypt(nonce, key, person_id.bytes)
        return key, bytes([self._current]) + nonce + sealed

    def unwrap(self, person_id: UUID, wrapped: bytes) -> bytes:
        master = self._masters.get(wrapped[0])
        if master is None:
            raise KeyUnreadable(f"master key {wrapped[0]} is not among the configured ones")
        try:
            return master.decrypt(wrapped[1 : 1 + _NONCE], wrapped[1 + _NONCE :], person_id.bytes)
        except InvalidTag as error:
            raise KeyUnreadable(f"master key {wrapped[0]} is not the one that wrapped this key") from error

    def unique_digest(self, kind: str, value: str) -> bytes:
        """A keyed HMAC: equal values meet, and nobody without the secret can test a guess."""
        return hmac_digest(self._unique, f"{kind}\0{value}".encode(), "sha256")


def seal(key: bytes, person_id: UUID, event_id: UUID, personal: Json) -> str:
    nonce = os.urandom(_NONCE)
    sealed = AESGCM(key).encrypt(nonce, to_json(personal), person_id.bytes + event_id.bytes)
    return b64encode(nonce + sealed).decode()


def unseal(key: bytes, person_id: UUID, event_id: UUID, sealed: str) -> Json:
    raw = b64decode(sealed)
    plain = AESGCM(key).decrypt(raw[:_NONCE], raw[_NONCE:], person_id.bytes + event_id.bytes)
    opened: Json = parsed(plain)
    return opened
