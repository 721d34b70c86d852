"""Scopes as Login with Amazon writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokens.connect.scopes import is_identity, split_scopes, tells_identity

ADS = "advertising::campaign_management"
scopes = st.sets(st.text("abcdefghijklmnopqrstuvwxyz:_", min_size=1), max_size=6)


@given(words=scopes, separator=st.sampled_from([" ", "+", "  ", " + "]))
def test_scopes_are_separated_by_spaces_or_plus_signs(words: set[str], separator: str) -> None:
    assert split_scopes(separator.join(words)) == words


@given(words=scopes)
def test_the_order_of_scopes_does_not_matter(words: set[str]) -> None:
    assert split_scopes(" ".join(sorted(words))) == split_scopes(" ".join(sorted(words, reverse=True)))


@pytest.mark.parametrize("text", ["", " ", "+", " + "])
def test_a_text_without_words_has_no_scopes(text: str) -> None:
    assert split_scopes(text) == set()
    assert not tells_identity(text)


@pytest.mark.parametrize("scope", ["profile", "profile:user_id", "profile:name"])
def test_the_profile_and_its_parts_tell_the_identity(scope: str) -> None:
    assert is_identity(scope)
    assert tells_identity(f"{ADS} {scope}")
    assert tells_identity(f"{scope}+{ADS}")


@pytest.mark.parametrize("scope", [ADS, "profiles", "my_profile", "postal_code", "xprofile:user_id"])
def test_other_scopes_do_not_tell_the_identity(scope: str) -> None:
    assert not is_identity(scope)
    assert not tells_identity(scope)
