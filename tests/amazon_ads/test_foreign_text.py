from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amazon_accounts.amazon_ads.foreign_text import clean_explanation, clean_identifier, make_storable
from amazon_accounts.amazon_ads.json_body import NotJsonError, decode_json

ACCESS_TOKEN = "Atza|IwEBIFake_access-token.0123456789"


def test_it_strips_tags_scripts_and_entities() -> None:
    html = "<html><script>alert('x')</script><style>p{}</style><h1>Bad &amp; worse</h1> gateway"
    assert clean_explanation(html) == "Bad & worse gateway"


def test_it_leaves_no_control_or_direction_characters() -> None:
    assert clean_explanation("a\x00b\x1b[31m\u202ec\u2066d\ne\x7f") == "a b [31m c d e"


def test_it_cuts_after_two_hundred_characters() -> None:
    assert len(clean_explanation("word " * 100)) == 200


@pytest.mark.parametrize(
    "text",
    [
        f"token {ACCESS_TOKEN} refused",
        f'{{"refresh_token":"{ACCESS_TOKEN.replace("Atza", "Atzr")}"}}',
        "refresh_token=Atzr%7CIwEBIFake_access-token.0123456789&x=1",
        "ATZA|IwEBIFake_access-token.0123456789",
        "Atza&#124;IwEBIFake_access-token.0123456789",
    ],
)
def test_it_masks_what_looks_like_a_token(text: str) -> None:
    assert "0123456789" not in clean_explanation(text)


def test_it_masks_the_secrets_of_the_request() -> None:
    assert clean_explanation("The code ANdNAVhyhq is used", ["ANdNAVhyhq"]) == "The code *** is used"


@given(st.text())
def test_an_explanation_is_always_one_short_clean_line(text: str) -> None:
    line = clean_explanation(text)
    assert len(line) <= 200
    assert not any(ord(c) < 32 or ord(c) == 127 for c in line)


@given(st.one_of(st.none(), st.integers(), st.text(), st.lists(st.text())))
def test_an_identifier_has_only_the_characters_of_one(value: object) -> None:
    assert all(c.isascii() and (c.isalnum() or c in "._:=+/-*") for c in clean_identifier(value))


def test_it_keeps_request_ids_and_numbers() -> None:
    assert clean_identifier("0b1c2d3e-4f50-4a6b-8c7d-9e0f1a2b3c4d") == "0b1c2d3e-4f50-4a6b-8c7d-9e0f1a2b3c4d"
    assert clean_identifier(400) == "400"
    assert clean_identifier(True) == ""
    assert clean_identifier("<b>\nx") == "bx"


def test_it_replaces_what_postgresql_cannot_store() -> None:
    assert make_storable({"a\x00": ["\ud800", 1, None]}) == {"a\ufffd": ["\ufffd", 1, None]}


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"\xef\xbb\xbf[1]", [1]),
        (b'["\\ud83d\\ude00 \\ud800 \\u0000"]', ["\U0001f600 \ufffd \ufffd"]),
        (b'["\xff"]', ["\ufffd"]),
        (b"[18446744073709551617]", [18446744073709551617]),
        (b"[]", []),
        (b' {"a": 340.0} ', {"a": 340.0}),
    ],
)
def test_it_reads_unusual_json(body: bytes, value: object) -> None:
    assert decode_json(body) == value


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b'{"a": ',
        b"[NaN]",
        b"[-Infinity]",
        b"[1e999]",
        b"[" * 100_000,
        b"[" + b"9" * 9999 + b"]",
    ],
)
def test_it_refuses_what_is_no_json_that_could_be_stored(body: bytes) -> None:
    with pytest.raises(NotJsonError):
        decode_json(body)


json_values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
)


@given(json_values)
def test_what_it_decodes_is_always_storable(value: Any) -> None:
    import json

    decoded_value = decode_json(json.dumps(value).encode())
    text = json.dumps(decoded_value, ensure_ascii=False)
    text.encode()
    assert "\x00" not in text
