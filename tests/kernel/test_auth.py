"""Bearer tokens: only the configured issuer's, for us, unexpired, by a key and an algorithm that we trust."""

import asyncio
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import OKPAlgorithm, RSAAlgorithm
from kernel.runtime.settings import ServiceSettings
from kernel.storage.failures import Unavailable
from kernel.testing.fixtures import development_key, make_settings, token
from kernel.web import auth
from kernel.web.auth import Authenticator, Role, Unauthenticated

from tests.kernel.toys import ADA

URL = "postgresql://nobody@/nowhere"


def claims(**said: Any) -> dict[str, Any]:
    usual = {"sub": str(ADA), "iss": "guanxi", "aud": "crm", "exp": int(time.time()) + 60, "roles": ["admin"]}
    return {name: value for name, value in (usual | said).items() if value is not None}


@pytest.fixture(scope="module")
def rsa() -> RSAPrivateKey:
    return generate_private_key(65537, 2048)


@pytest.fixture
def issuer(rsa: RSAPrivateKey, tmp_path: Path) -> ServiceSettings:
    """An issuer with an RSA key of its own."""
    jwks = tmp_path / "jwks.json"
    public = RSAAlgorithm.to_jwk(rsa.public_key(), as_dict=True) | {"kid": "one", "alg": "RS256"}
    jwks.write_text(json.dumps({"keys": [public]}))
    return make_settings(URL, jwks_file=jwks)


async def refusal(settings: ServiceSettings, token: str) -> str:
    with pytest.raises(Unauthenticated) as refused:
        await Authenticator(settings).principal(token)
    return refused.value.code


async def test_a_token_of_the_issuer_says_who_calls(issuer: ServiceSettings, rsa: RSAPrivateKey) -> None:
    said = claims(roles=["sales_rep", "emperor"], teams=["east"])
    signed = jwt.encode(said, rsa, "RS256", headers={"kid": "one"})
    authenticator = Authenticator(issuer)
    principal = await authenticator.principal(signed)
    assert (principal.sub, list(principal.roles), list(principal.teams)) == (ADA, [Role.SALES_REP], ["east"])
    assert await authenticator.principal(signed) is principal


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "somebody"},
        {"aud": "another"},
        {"iss": None},
        {"aud": None},
        {"exp": None},
        {"sub": None},
        {"sub": "ada"},
        {"roles": 5},
        {"nbf": 4_000_000_000},
    ],
    ids=str,
)
async def test_a_token_with_a_wrong_claim_is_refused(
    issuer: ServiceSettings, rsa: RSAPrivateKey, wrong: dict[str, Any]
) -> None:
    signed = jwt.encode(claims(**wrong), rsa, "RS256", headers={"kid": "one"})
    assert await refusal(issuer, signed) == "TOKEN_INVALID"


async def test_an_expired_token_is_refused_also_when_it_is_remembered(
    issuer: ServiceSettings, rsa: RSAPrivateKey
) -> None:
    signed = jwt.encode(claims(exp=int(time.time()) - 1), rsa, "RS256", headers={"kid": "one"})
    assert await refusal(issuer, signed) == "TOKEN_EXPIRED"
    authenticator = Authenticator(issuer)
    signed = jwt.encode(claims(exp=int(time.time()) + 1), rsa, "RS256", headers={"kid": "one"})
    await authenticator.principal(signed)
    await asyncio.sleep(1.1)
    with pytest.raises(Unauthenticated, match="expired"):
        await authenticator.principal(signed)


async def test_no_algorithm_and_a_public_key_as_a_secret_are_refused(
    issuer: ServiceSettings, rsa: RSAPrivateKey
) -> None:
    public = rsa.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    unsigned = jwt.encode(claims(), "", "none", headers={"kid": "one"})
    assert await refusal(issuer, unsigned) == "TOKEN_INVALID"
    header, body = (_part(part) for part in ({"alg": "HS256", "typ": "JWT", "kid": "one"}, claims()))
    mac = jwt.get_algorithm_by_name("HS256").sign(f"{header}.{body}".encode(), public)
    confused = f"{header}.{body}.{urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    assert await refusal(issuer, confused) == "TOKEN_INVALID"


def _part(said: dict[str, Any]) -> str:
    return urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()


async def test_another_key_under_a_known_name_and_an_unknown_name_are_refused(
    issuer: ServiceSettings, rsa: RSAPrivateKey
) -> None:
    stranger = generate_private_key(65537, 2048)
    forged = jwt.encode(claims(), stranger, "RS256", headers={"kid": "one"})
    unknown = jwt.encode(claims(), rsa, "RS256", headers={"kid": "two"})
    unnamed = jwt.encode(claims(), rsa, "RS256")
    for signed in (forged, unknown, unnamed, "", "a.b.c", "ä.ö.ü", forged[:-5]):
        assert await refusal(issuer, signed) == "TOKEN_INVALID"


async def test_a_new_key_of_the_issuer_is_found(issuer: ServiceSettings, rsa: RSAPrivateKey) -> None:
    authenticator = Authenticator(issuer)
    await authenticator.principal(jwt.encode(claims(), rsa, "RS256", headers={"kid": "one"}))
    newer = Ed25519PrivateKey.generate()
    public = OKPAlgorithm.to_jwk(newer.public_key(), as_dict=True) | {"kid": "two", "alg": "EdDSA"}
    assert issuer.jwks_file
    issuer.jwks_file.write_text(json.dumps({"keys": [public]}))
    await asyncio.sleep(1.1)
    await authenticator.principal(jwt.encode(claims(), newer, "EdDSA", headers={"kid": "two"}))


async def test_a_development_key_is_refused_in_production() -> None:
    assert (await Authenticator(make_settings(URL)).principal(token())).roles == {Role.ADMIN}
    assert await refusal(make_settings(URL, environment="production"), token()) == "TOKEN_INVALID"


@pytest.mark.parametrize("environment", ["Production", "prod", "staging", ""])
async def test_a_development_key_is_taken_in_development_only(environment: str) -> None:
    with pytest.raises((Unauthenticated, ValueError)):
        await Authenticator(make_settings(URL, environment=environment)).principal(token())


async def test_an_issuer_that_is_down_at_first_locks_nobody_out() -> None:
    answers = ["HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"]
    document = development_key().jwks_file.read_text()
    answers.append(f"HTTP/1.1 200 OK\r\nContent-Length: {len(document)}\r\n\r\n{document}")
    async with serving(answers) as url:
        authenticator = Authenticator(make_settings(URL, jwks_file=None, jwks_url=url))
        for _ in range(2):
            # The issuer is asked once a second; nobody is told meanwhile that his token is a bad one.
            with pytest.raises(Unavailable):
                await authenticator.principal(token())
        await asyncio.sleep(1.1)
        assert (await authenticator.principal(token())).roles == {Role.ADMIN}


async def test_whoever_waits_for_a_silent_issuer_waits_for_one_question_of_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(auth, "_AGAIN_AFTER_FAILURE", 0.1)
    answers = ["HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"] * 9
    async with serving(answers, after=0.2) as url:
        authenticator = Authenticator(make_settings(URL, jwks_file=None, jwks_url=url))
        asked = [authenticator.principal(token()) for _ in range(9)]
        told = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(answer, Unavailable) for answer in told)
    assert len(answers) == 8


@asynccontextmanager
async def serving(answers: list[str], after: float = 0.0) -> AsyncIterator[str]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(after)
        writer.write(answers.pop(0).encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/jwks"
    finally:
        server.close()
