"""The strict JSON reader: it returns what it can store, and names the field of a value that it refuses."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.strict_json import MAX_DEPTH, MAX_INTEGER_LENGTH, BadJSONError, read_json

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
) | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


def refuse(text: bytes | str) -> BadJSONError:
    with pytest.raises(BadJSONError) as caught:
        read_json(text)
    return caught.value


@given(VALUES)
def test_a_value_that_can_be_stored_is_returned_unchanged(value: Any) -> None:
    assert read_json(json.dumps(value)) == value
    assert read_json(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.binary(max_size=60))
def test_malformed_bytes_are_refused_with_a_sentence(body: bytes) -> None:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        # What Python's own reader refuses is refused here, too.
        assert str(refuse(body)).endswith(".")


@given(TEXTS, VALUES, VALUES)
def test_a_name_that_stands_twice_is_refused(name: str, first: Any, second: Any) -> None:
    key = json.dumps(name)
    error = refuse(f"{{{key}: {json.dumps(first)}, {key}: {json.dumps(second)}}}")
    assert "stands twice" in str(error)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('{"a": "\\u0000"}', "a"),
        ('{"a": {"b": "\\u0000"}}', "a.b"),
        ('{"a": {"b": {"c": "\\u0000"}}}', "a.b"),
        ('{"a": ["\\u0000"]}', "a"),
        ('{"a": {"b": "\\ud800"}}', "a.b"),
        ('{"a": NaN}', "a"),
        ('{"a": -Infinity}', "a"),
        ('{"a": 1e999}', "a"),
        ('{"a": {"b": 123456789012345678901}}', "a.b"),
        ('{"a": {"b": 1, "b": 2}}', "a.b"),
        ('{"c": 1, "d": 3, "c": 2}', "c"),
        ('"\\u0000"', ""),
        ("NaN", ""),
    ],
)
def test_a_refused_value_is_named_by_its_field(text: str, field: str) -> None:
    assert refuse(text).field == field


def test_a_long_name_is_cut_in_the_error() -> None:
    assert refuse(json.dumps({"a" * 500: "\0"})).field == "a" * 60


def test_the_deepest_value_that_is_read() -> None:
    assert read_json("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert f"more than {MAX_DEPTH} levels" in str(refuse("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)))
    assert f"more than {MAX_DEPTH} levels" in str(refuse("[" * 200_000))


def test_the_longest_integer_that_is_read() -> None:
    assert read_json("9" * MAX_INTEGER_LENGTH) == 10**MAX_INTEGER_LENGTH - 1
    assert str(refuse("9" * (MAX_INTEGER_LENGTH + 1))) == "It is too large a number."


@pytest.mark.parametrize("text", ["", "nul", "{", "[1,]", "{'a': 1}", '{"a" 1}', "1 2"])
def test_a_malformed_text_is_refused_with_its_place(text: str) -> None:
    assert "at line 1, column " in str(refuse(text))


def test_a_text_that_is_not_utf_8_is_refused() -> None:
    assert str(refuse(b'"\xff"')) == "It is not UTF-8 text."
