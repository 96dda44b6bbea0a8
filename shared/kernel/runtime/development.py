"""Development tokens: a key made on the spot, whose name alone makes production refuse it."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import OKPAlgorithm

from kernel.domain.clock import now

KEY_NAME = "development"


class DevelopmentKey:
    """Kept in `directory` as `development.pem`; the public half is `jwks.json` beside it."""

    def __init__(self, directory: Path) -> None:
        self.jwks_file = directory / "jwks.json"
        private = directory / "development.pem"
        if not private.exists():
            directory.mkdir(parents=True, exist_ok=True)
            key = Ed25519PrivateKey.generate()
            pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            descriptor = os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(pem)
            public = OKPAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": KEY_NAME, "alg": "EdDSA"}
            self.jwks_file.write_text(json.dumps({"keys": [public]}))
        self._key = load_pem_private_key(private.read_bytes(), None)

    def token(
        self,
        subject: UUID,
        roles: Sequence[str],
        teams: Sequence[str] = (),
        *,
        lifetime: float = 12 * 3600,
        issuer: str = "guanxi",
        audience: str = "crm",
    ) -> str:
        """A signed token that lives for `lifetime` seconds (a negative one has expired already)."""
        claims = {
            "sub": str(subject),
            "roles": list(roles),
            "teams": list(teams),
            "iss": issuer,
            "aud": audience,
            "exp": int(now().timestamp() + lifetime),
        }
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers={"kid": KEY_NAME})  # type: ignore[arg-type]
