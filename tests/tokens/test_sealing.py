"""Sealed text opens with each of the keys, and only in the context that it was sealed for."""

from collections.abc import Iterator

import pytest
from cryptography.fernet import Fernet
from django.test import override_settings
from hypothesis import assume, given
from hypothesis import strategies as st

from tokens.encryption import DecryptionError, MisplacedSecretError, has_key_of, reseal, seal, unseal

KEYS = [Fernet.generate_key().decode() for _ in range(2)]
texts = st.text(max_size=200)


@pytest.fixture(autouse=True, scope="module")
def _keys() -> Iterator[None]:
    with override_settings(TOKEN_ENCRYPTION_KEYS=KEYS):
        yield


@given(plain=texts, context=texts)
def test_any_text_is_sealed_and_opened(plain: str, context: str) -> None:
    sealed = seal(plain, context)
    assert unseal(sealed, context) == plain
    assert len(plain) < 4 or plain not in sealed
    assert sealed != seal(plain, context)


@given(plain=texts, context=texts, other=texts)
def test_it_is_refused_in_another_context(plain: str, context: str, other: str) -> None:
    assume(context != other)
    sealed = seal(plain, context)
    with pytest.raises(MisplacedSecretError, match="another row or column"):
        unseal(sealed, other)
    assert has_key_of(sealed)


@given(plain=texts, context=texts)
def test_it_is_refused_without_its_key(plain: str, context: str) -> None:
    sealed = seal(plain, context)
    with override_settings(TOKEN_ENCRYPTION_KEYS=KEYS[1:]):
        with pytest.raises(DecryptionError, match="TOKEN_ENCRYPTION_KEYS"):
            unseal(sealed, context)
        assert not has_key_of(sealed)


@given(plain=texts, cut=st.integers(min_value=1))
def test_it_is_refused_when_it_is_cut(plain: str, cut: int) -> None:
    sealed = seal(plain, "here")
    with pytest.raises(DecryptionError):
        unseal(sealed[: -(cut % len(sealed) or 1)], "here")


@given(garbage=st.text())
def test_garbage_is_refused(garbage: str) -> None:
    for text in (garbage, f"v2.{garbage}"):
        with pytest.raises(DecryptionError):
            unseal(text, "here")


@given(plain=texts, context=texts)
def test_the_old_form_is_opened_and_sealed_again(plain: str, context: str) -> None:
    for key in KEYS:
        old = Fernet(key).encrypt(plain.encode()).decode()
        assert unseal(old, context) == plain
        fresh = reseal(old, context)
        assert fresh is not None
        assert fresh.startswith("v2.")
        assert unseal(fresh, context) == plain
        assert reseal(fresh, context) is None


@given(plain=texts)
def test_what_the_second_key_sealed_is_sealed_again(plain: str) -> None:
    with override_settings(TOKEN_ENCRYPTION_KEYS=KEYS[1:]):
        sealed = seal(plain, "here")
    assert unseal(sealed, "here") == plain
    fresh = reseal(sealed, "here")
    assert fresh is not None
    with override_settings(TOKEN_ENCRYPTION_KEYS=KEYS[:1]):
        assert unseal(fresh, "here") == plain
