"""Cursors: each belongs to one list in one ordering, and leads to the rows after it in every value."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.core import signing
from django.core.exceptions import ValidationError
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.lists.account_pages import ACCOUNT_ORDERINGS, paginate_accounts
from accounts.lists.pages import KeysetPaginator, Page, order_by
from accounts.models import Account, AccountSearch, Profile, SyncRun
from tests.accounts.conftest import AccountFactory, ConnectionFactory

REFUSED = "not a cursor of this list"
# PostgreSQL stores any text without NUL.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


def accounts_in(ordering: str, size: int = 1) -> KeysetPaginator[Account]:
    return paginate_accounts(Account.objects.select_related("connection"), ordering, size)


@pytest.fixture
def accounts(alice: User, new_account: AccountFactory, new_connection: ConnectionFactory) -> list[Account]:
    connections = [
        new_connection(alice, last_synced_at=time) for time in (None, timezone.now(), timezone.now())
    ]
    return [new_account(alice, connection=connection) for connection in connections for _ in range(2)]


def read_all(paginator: KeysetPaginator[Account]) -> list[Account]:
    found: list[Account] = []
    cursor: str | None = ""
    while cursor is not None:
        page = paginator.page(cursor)
        found += page.items
        cursor = page.next_cursor
    return found


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(TEXTS, min_size=2, max_size=5))
def test_pages_by_any_names_have_each_account_once(
    alice: User, new_account: AccountFactory, names: list[str]
) -> None:
    Account.objects.all().update(status="pending")
    made = {new_account(alice, name or " ").pk for name in names}
    rows = Account.objects.filter(status="active")
    for ordering in ("name", "-name"):
        found = [row.pk for row in read_all(KeysetPaginator(rows, ordering, 1))]
        assert found == list(
            rows.order_by(*order_by(["name", "pk"], descending=ordering == "-name")).values_list(
                "pk", flat=True
            )
        )
        assert set(found) == made
    Account.objects.filter(pk__in=made).update(status="pending")


@pytest.mark.parametrize("ordering", [f"{sign}{name}" for name in ACCOUNT_ORDERINGS for sign in ("", "-")])
def test_a_page_leads_to_the_next_page_and_back(accounts: list[Account], ordering: str) -> None:
    paginator = accounts_in(ordering, 2)
    first = paginator.page()
    assert first.previous_cursor is None
    assert first.next_cursor is not None
    second = paginator.page(first.next_cursor)
    assert not set(first.items) & set(second.items)
    assert second.previous_cursor is not None
    assert paginator.page(second.previous_cursor).items == first.items


@pytest.mark.parametrize("ordering", ["name", "-last_synced_at"])
def test_an_empty_list_has_no_cursors(db: None, ordering: str) -> None:
    assert accounts_in(ordering).page() == Page([], None, None)


@pytest.mark.parametrize("ordering", ["name", "status", "-last_synced_at"])
def test_a_page_after_rows_that_are_gone_is_empty(accounts: list[Account], ordering: str) -> None:
    cursor = accounts_in(ordering, 5).page().next_cursor
    kept = Account.objects.none()
    assert cursor is not None
    assert paginate_accounts(kept, ordering, 5).page(cursor) == Page([], None, None)


@pytest.mark.parametrize("ordering", ["", "-", "colour", "--name", "labels", "name,status"])
def test_an_ordering_that_is_not_offered_is_refused(db: None, ordering: str) -> None:
    with pytest.raises(ValidationError, match="The orderings are: name, -name, last_synced_at"):
        accounts_in(ordering)


def test_a_cursor_of_another_model_is_refused(accounts: list[Account]) -> None:
    cursor = accounts_in("name").page().next_cursor
    for paginator in (
        KeysetPaginator(Profile.objects.all(), "name", 1),
        KeysetPaginator(AccountSearch.objects.all(), "text", 1),
        KeysetPaginator(SyncRun.objects.all(), "-created_at", 1),
    ):
        with pytest.raises(ValidationError, match=REFUSED):
            paginator.page(cursor)


@pytest.mark.parametrize(
    "position",
    [
        [],
        [0],
        [0, "a name"],
        [0, "a name", "no id"],
        [0, "a name", "00000000-0000-0000-0000-000000000001", "one value more"],
        {"a": 1},
        "text",
        7,
    ],
)
def test_a_signed_cursor_with_wrong_values_is_refused(db: None, position: object) -> None:
    # An older version of the project may have signed cursors with other values.
    cursor = signing.Signer(salt="accounts.account:name").sign_object(position)
    with pytest.raises(ValidationError, match=REFUSED):
        accounts_in("name").page(cursor)


def test_a_unique_column_needs_no_second_key(alice: User, new_connection: ConnectionFactory) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for hours in (3, 1, 2):
        SyncRun.objects.create(
            connection=new_connection(alice), trigger="manual", created_at=start + timedelta(hours=hours)
        )
    paginator = KeysetPaginator(SyncRun.objects.all(), "-created_at", 2, unique=True)
    first = paginator.page()
    assert [row.created_at.hour for row in first.items] == [3, 2]
    assert [row.created_at.hour for row in paginator.page(first.next_cursor).items] == [1]


def test_a_filter_that_matches_nothing_has_an_empty_page_by_sync(accounts: list[Account]) -> None:
    rows = Account.objects.filter(status="suspended").select_related("connection")
    assert paginate_accounts(rows, "last_synced_at", 5).page().items == []
