"""Rows are staged under their run and listing, and rows that the database refuses are named."""

import pytest
from django.db import OperationalError
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import Format

from accounts.models import Account
from accounts.sync.claims import RunLostError, close_unfinished_runs, owned_by
from accounts.sync.rows import MAX_ID_BYTES
from accounts.sync.run_context import RunContext, StagingLostError
from accounts.sync.staging import _array, stage_account_parts, stage_accounts, stage_profiles, stage_shown
from tests.accounts.sync.conftest import ConnectionFactory
from tests.accounts.sync.contexts import (
    SCOPE,
    empty_staging,
    list_staged,
    make_account,
    make_profile,
    open_context,
)
from tests.database_outage import DatabaseOutage
from tokens.models import Connection

pytestmark = pytest.mark.django_db

TEXT_ARRAY_OID = 1009
# PostgreSQL stores no NUL and no halves of surrogate pairs.
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@pytest.fixture
def connection(connect: ConnectionFactory) -> Connection:
    return connect()


@pytest.fixture
def context(connection: Connection) -> RunContext:
    return open_context(connection, "EU")


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(texts, max_size=6))
@example([""])
@example(["NULL", "null"])
@example(['"', "\\", '\\"', "{}", "a,b", " a ", "\n"])
def test_the_text_form_of_an_array_is_read_by_the_driver_as_the_same_array(values: list[str]) -> None:
    loader = Transformer().get_loader(TEXT_ARRAY_OID, Format.TEXT)
    assert loader.load(_array(values).encode()) == values


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(texts, min_size=1, max_size=6))
@example(["NULL", "", '"', "\\"])
def test_the_text_form_of_an_array_means_what_the_driver_writes(values: list[str]) -> None:
    transformer = Transformer()
    written = transformer.get_dumper(values, PyFormat.TEXT).dump(values)
    assert written is not None
    loader = transformer.get_loader(TEXT_ARRAY_OID, Format.TEXT)
    assert loader.load(_array(values).encode()) == loader.load(bytes(written))


def test_arrays_are_stored_as_they_are(context: RunContext) -> None:
    countries = ["NULL", "", '"', "\\", "a,b", "{}", " ", "ü🦄"]
    assert (
        stage_accounts(context, context.coverage.ads_accounts, [make_account("1", countries=countries)]) == []
    )
    assert list_staged(context, "countries", "profile_ids", "cut_regions") == [(countries, [], None)]


def test_rows_of_a_listing_are_numbered_in_the_order_they_came(context: RunContext) -> None:
    listing = context.coverage.ads_accounts
    stage_accounts(context, listing, [make_account("b"), make_account("a")])
    stage_accounts(context, listing, [make_account("c")])
    assert list_staged(context) == [("b", 1), ("a", 2), ("c", 3)]
    assert listing.staged == 3


def test_parts_of_manager_accounts_have_negative_positions(context: RunContext) -> None:
    listing = context.coverage.start_listing(Account.Source.MANAGER_ACCOUNTS, "EU")
    stage_account_parts(context, listing, [make_account("a"), make_account("b")])
    assert list_staged(context) == [("a", -2), ("b", -1)]
    assert listing.staged == 0


def test_accounts_that_are_shown_but_cannot_be_stored_are_staged_at_position_0(context: RunContext) -> None:
    stage_shown(context, context.coverage.ads_accounts, {"a": {"z", "y"}, "b": [SCOPE]})
    assert list_staged(context, "amazon_account_id", "position", "seen_in") == [
        ("a", 0, ["y", "z"]),
        ("b", 0, [SCOPE]),
    ]


@pytest.mark.parametrize("key", ["", "x" * (MAX_ID_BYTES + 1), "ü" * MAX_ID_BYTES])
def test_an_id_that_no_account_can_have_is_not_staged_as_shown(context: RunContext, key: str) -> None:
    stage_shown(context, context.coverage.ads_accounts, {key: [SCOPE]})
    assert list_staged(context) == []


@pytest.mark.parametrize("bad", [{0}, {4}, {1, 3}, {0, 1, 2, 3, 4}, set()])
def test_accounts_that_the_database_refuses_are_named_and_the_others_staged(
    context: RunContext, bad: set[int]
) -> None:
    accounts = [make_account(str(index), metadata="not JSON" if index in bad else "{}") for index in range(5)]
    rejected = stage_accounts(context, context.coverage.ads_accounts, accounts)
    assert [item.identifier for item in rejected] == [str(index) for index in sorted(bad)]
    assert all(item.reason.startswith("The database refused it: invalid input") for item in rejected)
    # The position of a refused row stays empty.
    assert list_staged(context) == [(str(index), index + 1) for index in range(5) if index not in bad]


@pytest.mark.parametrize("bad", [{0}, {2}, {0, 1, 2}])
def test_profiles_that_the_database_refuses_are_named(context: RunContext, bad: set[int]) -> None:
    profiles = [make_profile(str(index), raw="{" if index in bad else "{}") for index in range(3)]
    rejected = stage_profiles(context, context.coverage.listings[1], profiles)
    assert [item.identifier for item in rejected] == [str(index) for index in sorted(bad)]


@pytest.mark.parametrize(("entity_id", "found"), [("ENTITY1", False), ("", True)])
def test_the_store_knows_whether_a_profile_has_no_entity_id(
    context: RunContext, entity_id: str, *, found: bool
) -> None:
    stage_profiles(context, context.coverage.listings[1], [make_profile("1", entity_id=entity_id)])
    assert context.has_profiles_without_entity is found


def test_an_empty_page_stages_nothing(context: RunContext) -> None:
    assert stage_accounts(context, context.coverage.ads_accounts, []) == []
    assert list_staged(context) == []


def test_a_closed_run_stages_nothing(connection: Connection, context: RunContext) -> None:
    close_unfinished_runs(connection, "The connection was disconnected.")
    with pytest.raises(RunLostError):
        stage_shown(context, context.coverage.ads_accounts, {"some-account": [SCOPE]})
    assert list_staged(context) == []


def test_an_outage_while_accounts_are_staged_is_raised(
    context: RunContext, database_outage: DatabaseOutage
) -> None:
    with database_outage, pytest.raises(OperationalError):
        stage_accounts(context, context.coverage.ads_accounts, [make_account("a"), make_account("b")])
    assert list_staged(context) == []


def test_an_outage_while_profiles_are_staged_is_raised(
    context: RunContext, database_outage: DatabaseOutage
) -> None:
    with database_outage, pytest.raises(OperationalError):
        stage_profiles(context, context.coverage.listings[1], [make_profile("a"), make_profile("b")])


def test_a_crash_that_empties_staging_is_noticed_before_anything_is_written(context: RunContext) -> None:
    stage_accounts(context, context.coverage.ads_accounts, [make_account("a")])
    empty_staging()
    with pytest.raises(StagingLostError), context.open_accounts():
        pytest.fail("It opened a transaction although the staged rows are lost.")
    with pytest.raises(StagingLostError), context.open_staging():
        pytest.fail("It opened a transaction although the staged rows are lost.")


def test_a_run_that_has_staged_nothing_has_lost_nothing(context: RunContext) -> None:
    empty_staging()
    with context.open_accounts() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


def test_a_mark_that_this_process_has_not_staged_counts_as_lost_staging(context: RunContext) -> None:
    stage_accounts(context, context.coverage.ads_accounts, [make_account("a")])
    again = RunContext(context.claim, context.coverage)
    assert owned_by(again.claim) == owned_by(context.claim)
    with pytest.raises(StagingLostError), again.open_accounts():
        pytest.fail("It opened a transaction although it has not staged the rows.")
