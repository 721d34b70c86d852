"""Pages of accounts: in order, in both directions, with each account once while others change."""

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.lists.account_pages import MAX_SORTED, NEVER, paginate_accounts
from accounts.lists.pages import Page, count_capped
from accounts.models import Account
from tests.accounts.conftest import AccountFactory, ConnectionFactory

ORDERINGS = ["name", "-name", "status", "-status", "last_synced_at", "-last_synced_at"]
KEYS: dict[str, Callable[[Account], Any]] = {
    "name": lambda account: (account.name, account.pk),
    "status": lambda account: (account.status, account.pk),
    "last_synced_at": lambda account: (account.last_synced_at or NEVER, account.connection_id, account.pk),
}


@pytest.fixture
def accounts(alice: User, new_account: AccountFactory, new_connection: ConnectionFactory) -> list[Account]:
    """Forty accounts of nine connections, with ties in every key and connections that were never synced."""
    chance = random.Random(4)
    times = [None, None, *(timezone.now() - timedelta(hours=hours) for hours in (1, 1, 1, 2, 3, 4, 5))]
    connections = [new_connection(alice, last_synced_at=time) for time in times]
    return [
        new_account(
            alice,
            chance.choice(["", "Äpfel", "apples", "Pears", "Pears", "梨"]) or " ",
            status=chance.choice(["active", "pending", "suspended"]),
            connection=chance.choice(connections[1:]),
        )
        for _ in range(40)
    ]


def in_order(ordering: str) -> list[Account]:
    column = ordering.removeprefix("-")
    rows = Account.objects.select_related("connection")
    return sorted(rows, key=KEYS[column], reverse=ordering.startswith("-"))


PageReader = Callable[..., Page[Account]]


@pytest.fixture(params=["sorted", "read by connection"])
def page(request: pytest.FixtureRequest) -> PageReader:
    max_sorted = MAX_SORTED if request.param == "sorted" else 0

    def read(ordering: str, cursor: str | None = None, size: int = 7) -> Page[Account]:
        rows = Account.objects.filter(sync_enabled=True).select_related("connection")
        return paginate_accounts(rows, ordering, size, max_sorted=max_sorted).page(cursor)

    return read


@pytest.mark.parametrize("ordering", ORDERINGS)
@pytest.mark.parametrize("size", [1, 7, 40, 41])
def test_pages_lead_to_the_end_and_back(
    page: PageReader, accounts: list[Account], ordering: str, size: int
) -> None:
    pages = [page(ordering, size=size)]
    while (cursor := pages[-1].next_cursor) is not None:
        pages.append(page(ordering, cursor, size))
    assert [row for each in pages for row in each.items] == in_order(ordering)
    assert pages[0].previous_cursor is None
    back = pages[-1]
    for expected in reversed(pages[:-1]):
        assert back.previous_cursor is not None
        back = page(ordering, back.previous_cursor, size)
        assert back.items == expected.items
    assert back.previous_cursor is None


@pytest.mark.parametrize("ordering", ORDERINGS)
def test_each_account_is_shown_once_while_others_leave(
    page: PageReader, accounts: list[Account], ordering: str
) -> None:
    before = in_order(ordering)
    first = page(ordering)
    gone = [first.items[-1], first.items[0], before[9], before[20]]
    Account.objects.filter(pk__in=[account.pk for account in gone]).update(sync_enabled=False)
    seen, cursor = list(first.items), first.next_cursor
    while cursor is not None:
        following = page(ordering, cursor)
        seen += following.items
        cursor = following.next_cursor
    assert seen == [account for account in before if account in first.items or account not in gone]


def test_a_cursor_of_another_ordering_is_refused(page: PageReader, accounts: list[Account]) -> None:
    cursor = page("name").next_cursor
    assert cursor is not None
    for ordering in ORDERINGS[1:]:
        with pytest.raises(ValidationError, match="not a cursor of this list"):
            page(ordering, cursor)
    for changed in (cursor[:-1], cursor.replace(":", "."), "", "x", cursor[1:], "ä", "a:b"):
        if changed:
            with pytest.raises(ValidationError, match="not a cursor of this list"):
                page("name", changed)


def test_a_count_is_capped(accounts: list[Account]) -> None:
    rows = Account.objects.all()
    assert [count_capped(rows, cap).number for cap in (39, 40, 41)] == [39, 40, 40]
    assert [count_capped(rows, cap).capped for cap in (39, 40, 41)] == [True, False, False]


def test_links_are_absolute_and_keep_the_filter(api: APIClient, accounts: list[Account]) -> None:
    first = api.get(
        "/api/v1/accounts/?page_size=5&sync_status=synced&sync_status=never&ordering=-name"
    ).json()
    assert first["next"].startswith(f"{settings.PUBLIC_URL}/api/v1/accounts/?")
    second = api.get(first["next"]).json()
    assert api.get(second["previous"]).json()["results"] == first["results"]
    assert not {row["id"] for row in first["results"]} & {row["id"] for row in second["results"]}


@pytest.mark.parametrize(
    "name", ["商店" * 333, "🛒" * 500, "\x01" * 2_000], ids=["Chinese", "emoji", "controls"]
)
def test_the_link_after_a_very_long_name_leads_to_the_next_page(
    api: APIClient, alice: User, new_account: AccountFactory, name: str
) -> None:
    for ending in ("a", "b"):
        new_account(alice, f"{name[:-1]}{ending}")
    first = api.get("/api/v1/accounts/?ordering=name&page_size=1").json()
    second = api.get(first["next"])
    assert second.status_code == 200, second.content
    assert [row["name"][-1] for row in first["results"] + second.json()["results"]] == ["a", "b"]
