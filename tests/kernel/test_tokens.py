"""Opaque tokens: what was signed comes back, what was altered does not, and none is taken for one of another kind."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel.web.tokens import Place, TokenInvalid, sign, verify

from tests.kernel.toys import ADA

SECRET = b"a secret of at least thirty-two bytes"
payloads = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=8,
)


@given(payloads)
def test_what_was_signed_comes_back(payload: object) -> None:
    token = sign(SECRET, "list", payload)
    assert verify(SECRET, "list", token) == payload
    assert token.isascii()


@given(payloads, st.data())
def test_no_single_bit_can_be_altered(payload: object, data: st.DataObject) -> None:
    raw = bytearray(urlsafe_b64decode(sign(SECRET, "list", payload) + "=="))
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[bit // 8] ^= 1 << bit % 8
    with pytest.raises(TokenInvalid):
        verify(SECRET, "list", urlsafe_b64encode(raw).decode())


@given(st.text())
def test_anything_else_is_refused_in_one_way(token: str) -> None:
    with pytest.raises(TokenInvalid):
        verify(SECRET, "list", token)


def test_a_token_of_another_kind_or_another_secret_is_refused() -> None:
    token = sign(SECRET, "feed", [str(ADA), 5])
    for secret, purpose in ((SECRET, "list"), (SECRET, "consistency"), (b"x" * 40, "feed")):
        with pytest.raises(TokenInvalid):
            verify(secret, purpose, token)


def test_a_place_comes_back_from_its_token() -> None:
    place = Place("contacts", ADA, 17)
    assert Place.parse(SECRET, place.token(SECRET)) == place
