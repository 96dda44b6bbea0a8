"""What the settings say of themselves is true."""

from kernel.runtime.settings import ServiceSettings
from kernel.storage.keys import Keyring


def test_the_signing_secret_is_said_to_be_for_ever_because_unique_values_are_keyed_by_it() -> None:
    before, after = (
        Keyring({1: b"\7" * 32}, secret).unique_digest("email", "ada") for secret in (b"a", b"b")
    )
    assert before != after
    said = ServiceSettings.model_fields["signing_secret"].description or ""
    assert "unique values" in said
    assert "fingerprints" in said
    assert "never change it once there is data" in said
