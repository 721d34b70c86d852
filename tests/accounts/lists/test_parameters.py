"""The reader of list parameters: it takes any text without failing, and says what it cannot use."""

import json
from string import ascii_letters
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.http import QueryDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.lists.account_pages import paginate_accounts
from accounts.lists.csv_text import FORMULA_STARTS, escape_formula, format_csv
from accounts.lists.parameters import FILTERS, MAX_VALUES, PAGE_ONLY, PAGING, ListQuery, read_account_query
from accounts.models import Account

NAMES = [*FILTERS, *PAGING, *PAGE_ONLY, "colour"]
TEXTS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["active", "seller", "de", "ATVPDKIKX0DER", "{}", '{"a": "b"}', "team:north", "-name", "3"]
    ),
)
PLAIN = st.text(alphabet=f"{ascii_letters} äß梨", min_size=1, max_size=20).filter(
    lambda text: text == text.strip()
)


def read(query: str) -> ListQuery:
    return read_account_query(QueryDict(query), paging=PAGING, ignored=PAGE_ONLY)


# The machine of the tests may be slow at its first examples.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(NAMES), st.lists(TEXTS, max_size=2), max_size=4))
def test_each_parameter_is_used_or_its_error_is_named(parameters: dict[str, list[str]]) -> None:
    query = QueryDict(mutable=True)
    for name, values in parameters.items():
        query.setlist(name, values)
    found = read_account_query(query, paging=PAGING, ignored=PAGE_ONLY)
    for name in parameters:
        if name in FILTERS:
            assert (name in found.filters) != (name in found.errors)
    assert set(found.unknown) == {"colour"} & set(parameters)
    assert set(found.rejected) == set(found.errors)
    if found.errors or found.unknown:
        with pytest.raises(ValidationError):
            found.check()


@given(st.dictionaries(PLAIN, PLAIN, max_size=4))
def test_labels_are_read_as_they_were_written(labels: dict[str, str]) -> None:
    for value in (labels, json.dumps(labels)):
        assert read_account_query({"labels": value}).check().filters["labels"] == labels


@given(PLAIN, PLAIN)
def test_one_label_may_be_typed_with_a_colon(name: str, value: str) -> None:
    assert read_account_query({"labels": f"{name}: {value}"}).check().filters["labels"] == {name: value}


def test_the_value_of_a_label_may_be_empty() -> None:
    assert read("labels=team:").check().filters["labels"] == {"team": ""}


@pytest.mark.parametrize("text", ["team", ":north", ":", '"team"', '["team"]'])
def test_a_label_without_a_name_or_a_colon_is_quoted(text: str) -> None:
    assert read_account_query({"labels": text}).errors["labels"] == (
        f"The label “{text}” needs a name and a value with a colon between, such as “team:north”."
    )


def test_a_long_label_is_quoted_in_part() -> None:
    assert f"“{'x' * 40}…”" in read_account_query({"labels": "x" * 41}).errors["labels"]


def test_an_object_of_labels_must_be_valid_json() -> None:
    assert "It is not valid JSON" in read_account_query({"labels": "{team"}).errors["labels"]


@pytest.mark.parametrize("labels", [{"a": []}, {"a": ["b"] * 101}, {"a": ["b"] * 11, "c": ["d"] * 10}])
def test_a_label_has_some_values_and_not_too_many(labels: dict[str, list[str]]) -> None:
    for name in ("labels", "connection_labels"):
        assert "at most 100 combinations" in read_account_query({name: labels}).errors[name]


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_metadata_that_is_no_object_is_refused(value: Any) -> None:
    assert "metadata" in read_account_query({"metadata": json.dumps(value)}).errors


def test_a_repeated_parameter_is_refused() -> None:
    assert read("search=a&search=b").errors == {"search": "It may be given once."}


def test_more_values_than_the_maximum_are_refused() -> None:
    assert read("&".join(["country=DE"] * (MAX_VALUES + 1))).errors == {
        "country": "It may have at most 100 values."
    }


def test_codes_may_be_typed_in_small_letters() -> None:
    query = read("country=de&marketplace=atvpdkikx0der").check()
    assert query.given == {"country": ["DE"], "marketplace": ["ATVPDKIKX0DER"]}


def test_both_codes_of_the_united_kingdom_mean_the_one_that_is_stored() -> None:
    query = read("country=gb&country=UK&country=DE").check()
    assert query.filters["country"] == ["UK", "DE"]
    assert query.given == {"country": ["UK", "DE"]}


def test_pages_are_read_only_where_they_are_offered() -> None:
    query = read("page_size=7&cursor=abc&ordering=-status&view=table").check()
    assert (query.page_size, query.cursor, query.ordering) == (7, "abc", "-status")
    with pytest.raises(ValidationError) as caught:
        read_account_query(QueryDict("page_size=7")).check()
    assert set(caught.value.message_dict) == {"page_size"}


def test_a_query_without_a_filter_begins_at_its_first_page() -> None:
    query = read("status=active&country=DE&cursor=abc&ordering=status").without("country")
    assert (query.given, query.filters) == ({"status": ["active"]}, {"status": ["active"]})
    assert (query.cursor, query.ordering) == ("", "status")


@pytest.mark.parametrize("name", ["status", "account_type", "sync_status", "health"])
def test_the_error_for_a_wrong_word_lists_the_right_words(name: str) -> None:
    assert read(f"{name}=bogus").errors[name].startswith("“bogus” is not one of: ")


@given(st.text())
def test_no_cell_begins_like_a_formula(text: str) -> None:
    escaped = escape_formula(text)
    assert not escaped.lstrip(" ").startswith(FORMULA_STARTS)
    assert escaped.removeprefix("'") == text or escaped == text


def test_csv_quotes_what_it_must() -> None:
    assert format_csv([["a", 'say "hi"', "one,two"], ["=1+1", "", "x"]]) == (
        'a,"say ""hi""","one,two"\r\n' + "'=1+1,,x\r\n"
    )


@pytest.mark.django_db
@settings(deadline=None, max_examples=50)
@given(st.text(max_size=40))
def test_a_forged_cursor_is_refused(cursor: str) -> None:
    for ordering in ("name", "-last_synced_at"):
        paginator = paginate_accounts(Account.objects.select_related("connection"), ordering, 5)
        if cursor:
            with pytest.raises(ValidationError, match="not a cursor of this list"):
                paginator.page(cursor)
