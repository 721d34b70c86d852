"""Merging staged rows: differences are written, bad rows named, and deadlocks repeated."""

import random
import string
import threading

import pytest
from django.db import OperationalError, transaction
from django.db import connection as database
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Account, AccountAccess, Profile
from accounts.sync.claims import RunLostError, close_unfinished_runs
from accounts.sync.merge import Merged, merge_rows
from accounts.sync.run_context import RunContext
from accounts.sync.staging import stage_accounts, stage_profiles
from amazon_accounts.amazon_ads.answers import Rejected
from amazon_accounts.postgresql.threads import in_thread
from tests.accounts.sync.conftest import ConnectionFactory
from tests.accounts.sync.contexts import make_account, make_profile, merge, open_context
from tests.database_outage import DatabaseOutage
from tokens.models import Connection

pytestmark = pytest.mark.django_db

# Larger than an index row of PostgreSQL may be, and it cannot be compressed.
HUGE = "".join(random.Random(1).choices(string.printable, k=9000))


@pytest.fixture
def connection(connect: ConnectionFactory) -> Connection:
    return connect()


@pytest.fixture
def context(connection: Connection) -> RunContext:
    return open_context(connection, "EU")


def restart(connection: Connection, *regions: str) -> RunContext:
    close_unfinished_runs(connection, "Closed.")
    return open_context(connection, *regions)


counts = st.builds(
    Merged,
    st.integers(0, 9),
    st.integers(0, 9),
    st.integers(0, 9),
    st.sampled_from([(), (Rejected("a", "too long"),), (Rejected("b", "refused"), Rejected("c", "refused"))]),
)


@given(counts, counts, counts)
def test_merged_counts_can_be_added_in_any_grouping(one: Merged, two: Merged, three: Merged) -> None:
    assert (one + two) + three == one + (two + three)
    assert one + Merged() == Merged() + one == one


def test_a_new_account_is_created_with_its_access_row(connection: Connection, context: RunContext) -> None:
    assert merge(context, make_account("a"), make_account("b")) == Merged(created=2)
    account = Account.objects.get(amazon_account_id="a")
    assert (account.user_id, account.connection, account.name) == (
        connection.owner_id,
        connection,
        "Account a",
    )
    assert AccountAccess.objects.get(account=account).seen_in == ["ads_accounts"]


def test_an_equal_row_is_not_written(connection: Connection, context: RunContext) -> None:
    merge(context, make_account("a"))
    before = Account.objects.get()
    assert merge(restart(connection), make_account("a")) == Merged(unchanged=1)
    assert Account.objects.get().updated_at == before.updated_at


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "renamed"),
        ("status", Account.Status.SUSPENDED),
        ("amazon_status", "DISABLED"),
        ("countries", ["DE"]),
        ("errors", '{"DE": "failed"}'),
        ("metadata", '{"a": 1}'),
    ],
)
def test_a_difference_in_any_column_is_written(
    connection: Connection, context: RunContext, field: str, value: object
) -> None:
    merge(context, make_account("a"), make_account("b"))
    again = merge(restart(connection), make_account("a", **{field: value}), make_account("b"))
    assert again == Merged(changed=1, unchanged=1)


def test_of_several_rows_of_one_key_the_last_is_stored(context: RunContext) -> None:
    merged = merge(context, make_account("a", name="first"), make_account("a", name="last"))
    assert merged == Merged(created=1)
    assert Account.objects.get().name == "last"


def test_a_chunk_is_merged_up_to_its_position_only(context: RunContext) -> None:
    listing = context.coverage.ads_accounts
    stage_accounts(context, listing, [make_account(key) for key in "abc"])
    assert merge_rows(context, listing, up_to=2) == Merged(created=2)
    assert listing.merged == 2
    assert set(Account.objects.values_list("amazon_account_id", flat=True)) == {"a", "b"}
    assert merge_rows(context, listing, up_to=3) == Merged(created=1)


@pytest.mark.parametrize("bad", [{0}, {3}, {6}, {1, 2}, {0, 6}, set(range(7))])
def test_rows_that_the_database_refuses_are_named_and_the_others_merged(
    context: RunContext, bad: set[int]
) -> None:
    accounts = [make_account(str(index), countries=[HUGE] if index in bad else ["DE"]) for index in range(7)]
    merged = merge(context, *accounts)
    assert [item.identifier for item in merged.rejected] == [str(index) for index in sorted(bad)]
    assert all(item.reason.startswith("The database refused it: index row") for item in merged.rejected)
    assert merged.created == 7 - len(bad) == Account.objects.count()


def test_the_reason_of_a_refusal_does_not_quote_the_row(context: RunContext) -> None:
    [rejected] = merge(context, make_account("a", countries=[HUGE])).rejected
    assert HUGE[:20] not in rejected.reason
    assert len(rejected.reason) < 200


def test_an_ads_account_has_the_type_of_most_of_its_profiles(context: RunContext) -> None:
    types = {"1": "seller", "2": "vendor", "3": "vendor"}
    stage_profiles(
        context, context.coverage.listings[1], [make_profile(key, type=kind) for key, kind in types.items()]
    )
    three = ["", "", ""]
    merge(
        context,
        make_account(
            "a",
            profile_ids=list(types),
            profile_countries=["DE"] * 3,
            profile_regions=["EU"] * 3,
            profile_entities=three,
        ),
    )
    assert Account.objects.get().account_type == "vendor"
    assert Profile.objects.filter(account__amazon_account_id="a", region="EU").count() == 3


@pytest.mark.parametrize("is_complete", [True, False])
def test_a_profile_that_is_not_reported_keeps_its_details_if_its_region_was_not_read(
    connection: Connection, context: RunContext, *, is_complete: bool
) -> None:
    named = make_account(
        "a", profile_ids=["1"], profile_countries=["DE"], profile_regions=["EU"], profile_entities=["E"]
    )
    stage_profiles(context, context.coverage.listings[1], [make_profile("1")])
    merge(context, named)
    again = restart(connection, *(["EU"] if is_complete else []))
    merged = merge(again, named)
    profile = Profile.objects.get()
    assert (profile.currency_code, merged.changed) == (("", 1) if is_complete else ("EUR", 0))


def test_a_lost_run_merges_nothing(connection: Connection, context: RunContext) -> None:
    stage_accounts(context, context.coverage.ads_accounts, [make_account("a")])
    close_unfinished_runs(connection, "Closed.")
    with pytest.raises(RunLostError):
        merge_rows(context, context.coverage.ads_accounts, up_to=1)
    assert not Account.objects.exists()


def test_an_outage_while_rows_are_merged_is_raised(
    context: RunContext, database_outage: DatabaseOutage
) -> None:
    stage_accounts(context, context.coverage.ads_accounts, [make_account("a"), make_account("b")])
    with database_outage, pytest.raises(OperationalError):
        merge_rows(context, context.coverage.ads_accounts, up_to=2)
    assert not Account.objects.exists()


@pytest.mark.django_db(transaction=True)
async def test_a_merge_that_loses_a_deadlock_is_repeated(connect: ConnectionFactory) -> None:
    connection = await in_thread(connect)()
    context = await in_thread(open_context)(connection)
    await in_thread(merge)(context, make_account("a"))
    is_locked = threading.Event()

    def collide() -> None:
        # It locks the account and then the connection, a merge the connection and then the account.
        with transaction.atomic(), database.cursor() as cursor:
            cursor.execute("SELECT FROM user_accounts FOR UPDATE")
            is_locked.set()
            cursor.execute("SELECT pg_backend_pid()")
            [(pid,)] = cursor.fetchall()
            for _ in range(400):
                cursor.execute(
                    "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND %s = ANY(pg_blocking_pids(pid)))",
                    [pid],
                )
                if cursor.fetchone() == (True,):
                    break
                cursor.execute("SELECT pg_sleep(0.01)")
            cursor.execute("SELECT FROM tokens_connection FOR UPDATE")

    thread = threading.Thread(target=run_and_close, args=[collide])
    thread.start()
    is_locked.wait(10)
    merged = await in_thread(merge)(context, make_account("a", name="renamed"))
    await in_thread(thread.join)(20)
    assert merged == Merged(changed=1)
    assert (await in_thread(Account.objects.get)()).name == "renamed"


def run_and_close(function: object) -> None:
    assert callable(function)
    try:
        function()
    finally:
        database.close()
