"""The strict reader of JSON: any value that can be stored is read, anything else has an error that says why."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.strict_json import MAX_DEPTH, BadJSONError, read_json

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**19) + 1, 10**20 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


def error_of(text: bytes | str) -> str:
    with pytest.raises(BadJSONError) as caught:
        read_json(text)
    return str(caught.value)


@given(VALUES)
def test_a_value_that_can_be_stored_is_read_as_it_was_written(value: Any) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False), json.dumps(value).encode()):
        assert read_json(text) == value


@given(st.text(max_size=30) | st.binary(max_size=30))
def test_any_text_is_read_or_refused_with_a_sentence(text: str | bytes) -> None:
    error = ""
    try:
        read_json(text)
    except BadJSONError as refused:
        error = str(refused)
    assert not error or error.endswith(".")


@given(st.dictionaries(TEXTS, SCALARS, min_size=1, max_size=3), SCALARS)
def test_a_name_that_stands_twice_is_refused(value: dict[str, Any], other: Any) -> None:
    name = next(iter(value))
    twice = f"{json.dumps(value)[:-1]}, {json.dumps(name)}: {json.dumps(other)}}}"
    assert "stands twice in one object" in error_of(twice)


@given(TEXTS, TEXTS)
def test_a_nul_character_is_refused_in_names_and_in_values(before: str, after: str) -> None:
    text = f"{before}\0{after}"
    for value in (text, {text: 1}, {"a": text}, [text], {"a": [{"b": text}]}):
        assert error_of(json.dumps(value)) == "It has a NUL character in it."


@given(st.integers(min_value=10**20))
def test_an_integer_of_more_than_twenty_digits_is_refused(number: int) -> None:
    assert error_of(str(number)) == "It is too large a number."
    assert error_of(f"[-{number}]") == "It is too large a number."


@given(st.characters(categories=["Cs"]))
def test_half_a_character_is_refused(surrogate: str) -> None:
    assert error_of(json.dumps(surrogate)).startswith("It has half a character in it")


@pytest.mark.parametrize("brackets", [("[", "]"), ('{"a":', "}")])
def test_the_depth_is_limited(brackets: tuple[str, str]) -> None:
    opening, closing = brackets

    def nest(levels: int) -> str:
        return opening * levels + "1" + closing * levels

    read_json(nest(MAX_DEPTH))
    for levels in (MAX_DEPTH + 1, 100_000):
        assert error_of(nest(levels)) == "It is nested more than 32 levels deep."


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "It is not valid JSON: Expecting value at line 1, column 1."),
        ('{"a": 1,\n "b" 2}', "It is not valid JSON: Expecting ':' delimiter at line 2, column 6."),
        ("[1] [2]", "It is not valid JSON: Extra data at line 1, column 5."),
        (b"\xff", "It is not UTF-8 text."),
        ("NaN", "NaN is not a number."),
        ("[-Infinity]", "-Infinity is not a number."),
        ("1e999", "It is too large a number."),
    ],
)
def test_the_error_says_what_is_wrong(text: bytes | str, error: str) -> None:
    assert error_of(text) == error


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('{"labels": {"a": "\\u0000"}}', "labels.a"),
        ('{"options": {"labels": {"a": "\\u0000"}}}', "options.labels"),
        ('{"labels": {"a": 1, "a": 2}}', "labels.a"),
        ('{"a": 1, "a": 2}', "a"),
        ('{"a": [NaN]}', "a"),
        ("NaN", ""),
    ],
)
def test_the_error_names_the_field(text: str, field: str) -> None:
    with pytest.raises(BadJSONError) as caught:
        read_json(text)
    assert caught.value.field == field
