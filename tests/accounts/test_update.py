"""Which changes of an account are accepted, for any input."""

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from accounts.update import CHANGEABLE, LABEL_NAME, MAX_LABEL_LENGTH, MAX_LABELS, check_changes

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def errors_of(changes: object) -> dict[str, list[str]]:
    try:
        check_changes(changes, CHANGEABLE)
    except ValidationError as error:
        return error.message_dict
    return {}


@given(JSON)
def test_any_json_is_accepted_unchanged_or_refused(changes: object) -> None:
    errors = errors_of(changes)
    assert errors or check_changes(changes, CHANGEABLE) == changes


@given(st.dictionaries(st.text(max_size=300), st.none() | st.text(max_size=300), max_size=4))
def test_accepted_labels_can_be_read_and_typed(labels: dict[str, str | None]) -> None:
    errors = errors_of({"labels": labels})
    assert list(errors) in ([], ["labels"])
    if errors:
        return
    for name, value in labels.items():
        assert LABEL_NAME.fullmatch(name)
        assert name == name.strip()
        assert max(len(name), len(value or "")) <= MAX_LABEL_LENGTH


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"labels": {str(number): "x" for number in range(MAX_LABELS + 1)}}, "labels"),
        ({"labels": {"a": 1}}, "labels"),
        ({"labels": {" a": "x"}}, "labels"),
        ({"labels": {"a": "\0"}}, "labels"),
        ({"labels": {"a": "x" * (MAX_LABEL_LENGTH + 1)}}, "labels"),
        ({"labels": []}, "labels"),
        ({"is_default": 1}, "is_default"),
        ({"sync_enabled": None}, "sync_enabled"),
        ({"name": "x"}, "name"),
    ],
)
def test_a_wrong_change_is_named_by_its_field(changes: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationError) as raised:
        check_changes(changes, CHANGEABLE)
    assert list(raised.value.message_dict) == [field]
    with pytest.raises(ValidationError) as raised:
        check_changes(changes, CHANGEABLE, within="options")
    assert list(raised.value.message_dict) == [f"options.{field}"]
