"""Keys of persons: sealed is bound to one person and one event, wrapped to a master, and gone is gone."""

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st
from kernel.domain.ids import new_id
from kernel.storage.keys import Keyring, KeyUnreadable, seal, unseal

from tests.kernel.toys import ADA, BOB

OLD, NEW = b"o" * 32, b"n" * 32
ring = Keyring({1: OLD}, b"secret")
EVENT = new_id()

personal = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.none() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
)


@given(personal)
def test_what_was_sealed_is_opened_by_its_key(said: dict[str, object]) -> None:
    key, wrapped = ring.new_key(ADA)
    assert ring.unwrap(ADA, wrapped) == key
    assert unseal(key, ADA, EVENT, seal(key, ADA, EVENT, said)) == said


def test_a_sealed_object_opens_for_no_other_person_event_or_key() -> None:
    key, _ = ring.new_key(ADA)
    sealed = seal(key, ADA, EVENT, {"text": "secret"})
    for wrong in ((key, BOB, EVENT), (key, ADA, new_id()), (ring.new_key(ADA)[0], ADA, EVENT)):
        with pytest.raises(InvalidTag):
            unseal(*wrong, sealed)
    assert sealed != seal(key, ADA, EVENT, {"text": "secret"})
    assert "secret" not in sealed


def test_a_wrapped_key_opens_for_no_other_person_and_under_no_other_master() -> None:
    _, wrapped = ring.new_key(ADA)
    for keyring, person in ((ring, BOB), (Keyring({1: NEW}, b"secret"), ADA), (Keyring({2: OLD}, b"s"), ADA)):
        with pytest.raises(KeyUnreadable):
            keyring.unwrap(person, wrapped)


def test_after_a_rotation_the_new_master_wraps_and_the_old_one_still_opens() -> None:
    key, wrapped = ring.new_key(ADA)
    rotated = Keyring({1: OLD, 2: NEW}, b"secret")
    newer, wrapped_newer = rotated.new_key(BOB)
    assert rotated.unwrap(ADA, wrapped) == key
    assert Keyring({2: NEW}, b"secret").unwrap(BOB, wrapped_newer) == newer
    with pytest.raises(KeyUnreadable):
        ring.unwrap(BOB, wrapped_newer)


def test_a_unique_value_cannot_be_guessed_without_the_secret() -> None:
    digest = ring.unique_digest("e-mail", "ada@example.org")
    assert digest == Keyring({5: NEW}, b"secret").unique_digest("e-mail", "ada@example.org")
    assert digest != Keyring({1: OLD}, b"other").unique_digest("e-mail", "ada@example.org")
    assert digest != ring.unique_digest("e-mai", "lada@example.org")
    assert digest != ring.unique_digest("phone", "ada@example.org")
