"""Which connections a filter chooses, and in which order they come."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils import timezone

from accounts.errors import UnknownObjectError
from accounts.lists.by_connection import select_by_connection
from accounts.lists.connection_filters import filter_connections
from accounts.lists.connection_pages import paginate_connections
from accounts.lists.connection_parameters import FILTERS, ORDERINGS, read_connection_query
from accounts.lists.filters import filter_accounts
from accounts.lists.parameters import PAGING
from accounts.models import Account
from tests.accounts.conftest import AccountFactory, ConnectionFactory
from tests.teams import team_of
from tokens.models import Connection, ConsentState

pytestmark = pytest.mark.django_db

BEFORE_CONSENTS_ENDED = datetime(2026, 1, 2, tzinfo=UTC)


def ended(**fields: Any) -> dict[str, Any]:
    return {
        "state": "disconnected",
        "refresh_token": None,
        "access_token": None,
        "expires_at": None,
        "disconnected_at": timezone.now() + timedelta(seconds=1),
        **fields,
    }


@pytest.fixture
def world(alice: User, bob: User, new_connection: ConnectionFactory) -> None:
    new_connection(alice, label="Garden", labels={"client": "acme", "tier": "1"}, regions=["EU"])
    new_connection(alice, label="Books", labels={"client": "acme"}, contact_email="it@books.example")
    new_connection(alice, label="Toys 100%", amazon_user_email="Ads@Toys.example", paused=True)
    new_connection(alice, label="Old", **ended(regions=["NA", "EU"]))
    new_connection(alice, label="Broken", state="reauthorization_required")
    new_connection(bob, label="Bob's garden", labels={"client": "acme"})


def find(user: User, filters: dict[str, Any], **options: Any) -> set[str]:
    return set(filter_connections(user, filters, **options).values_list("label", flat=True))


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, {"Garden", "Books", "Toys 100%", "Old", "Broken"}),
        ({"state": ["disconnected", "reauthorization_required"]}, {"Old", "Broken"}),
        ({"paused": "true"}, {"Toys 100%"}),
        ({"paused": "false", "state": "active"}, {"Garden", "Books"}),
        ({"region": ["EU"], "state": "active", "paused": "false"}, {"Garden", "Books"}),
        ({"region": "NA", "state": "disconnected"}, {"Old"}),
        ({"region": "FE", "labels": "client:acme"}, {"Books"}),
        ({"labels": {"client": "acme"}}, {"Garden", "Books"}),
        ({"labels": {"client": "acme", "tier": "1"}}, {"Garden"}),
        ({"labels": {"client": ["acme", "bolt"], "tier": ["1", "2"]}}, {"Garden"}),
        ({"labels": {"client": "acme", "tier": None}}, {"Books"}),
        ({"search": "gARd"}, {"Garden"}),
        ({"search": "toys.EXAMPLE"}, {"Toys 100%"}),
        ({"search": "it@books"}, {"Books"}),
        ({"search": "0%"}, {"Toys 100%"}),
        ({"search": "arden\nads"}, set()),
        ({"search": "garden", "labels": "tier:2"}, set()),
    ],
)
@pytest.mark.parametrize("common_share", [0.0, 1.0], ids=["read in order", "by the index"])
def test_it_chooses(alice: User, filters: dict[str, Any], expected: set[str], common_share: float) -> None:
    assert find(alice, filters, common_share=common_share) == expected


@pytest.mark.usefixtures("world")
def test_it_finds_our_own_id_and_a_team(alice: User, bob: User) -> None:
    garden = Connection.objects.get(label="Garden")
    assert find(alice, {"search": str(garden.pk)}) == {"Garden"}
    assert find(bob, {"search": str(garden.pk)}) == set()
    assert len(find(alice, {"team": str(team_of(alice).pk)})) == 5
    with pytest.raises(UnknownObjectError):
        filter_connections(alice, {"team": str(team_of(bob).pk)})


@pytest.mark.parametrize(
    ("word", "days_left"),
    [
        ("ended", [-300, -1]),
        ("ends_in_7", [1, 6]),
        ("ends_in_30", [1, 6, 29]),
        ("ends_in_60", [1, 6, 29, 59]),
        ("good", [61, 364, None]),
        ("unknown", ["unknown"]),
    ],
)
def test_the_filter_by_consent_agrees_with_the_end_that_is_shown(
    settings: Any, alice: User, new_connection: ConnectionFactory, word: str, days_left: list[Any]
) -> None:
    settings.CONSENT_EFFECTIVE_DATE = BEFORE_CONSENTS_ENDED.date() - timedelta(days=800)
    long_ago = BEFORE_CONSENTS_ENDED - timedelta(days=900)
    length = timedelta(days=settings.CONSENT_DAYS)
    for days in (-300, -1, 1, 6, 29, 59, 61, 364):
        given = timezone.now() - length + timedelta(days=days, minutes=1)
        connection = new_connection(alice, label=str(days), consented_at=given)
        assert connection.consent_ends_at == given + length
        # A login that was disconnected here has no consent.
        new_connection(alice, label="gone", **ended(consented_at=given))
    assert new_connection(alice, label="None", consented_at=long_ago).consent_ends_at is None
    new_connection(alice, label="unknown", consented_at=None)
    assert find(alice, {"consent": word}) == {str(days) for days in days_left}
    assert set(ConsentState) == {"ended", "ends_in_7", "ends_in_30", "ends_in_60", "good", "unknown"}


@pytest.mark.parametrize("ordering", ORDERINGS)
@pytest.mark.parametrize("page_size", [1, 3, 20])
def test_pages_have_each_connection_once_in_order_both_ways(
    settings: Any, alice: User, new_connection: ConnectionFactory, ordering: str, page_size: int
) -> None:
    now = timezone.now()
    for number, days in enumerate([3, 1, None, 2, 2, None, 700]):
        then = None if days is None else now - timedelta(days=days)
        new_connection(alice, label=f"{number % 4}", last_synced_at=then, consented_at=then)
        if days is None:
            new_connection(alice, label="9", **ended(last_synced_at=then, consented_at=then))
    settings.CONSENT_EFFECTIVE_DATE = (now - timedelta(days=100)).date()
    rows = filter_connections(alice, {})

    forward, cursor = [], ""
    while True:
        page = paginate_connections(rows, ordering, page_size).page(cursor)
        forward += page.items
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
    assert len(set(forward)) == len(forward) == 9
    name = ordering.removeprefix("-")
    values = [getattr(row, name) for row in forward]
    known = [value for value in values if value is not None]
    assert known == sorted(known, reverse=ordering.startswith("-"))
    if unknown := len(values) - len(known):
        is_first = (name == "last_synced_at") != ordering.startswith("-")
        assert (values[:unknown] if is_first else values[-unknown:]) == [None] * unknown

    backward: list[Connection] = list(page.items)
    while page.previous_cursor is not None:
        page = paginate_connections(rows, ordering, page_size).page(page.previous_cursor)
        backward = [*page.items, *backward]
    assert backward == forward


def test_a_cursor_of_another_ordering_is_refused(alice: User, new_connection: ConnectionFactory) -> None:
    for _ in range(3):
        new_connection(alice)
    rows = filter_connections(alice, {})
    cursor = paginate_connections(rows, "label", 1).page().next_cursor
    with pytest.raises(ValidationError, match="cursor"):
        paginate_connections(rows, "expires_at", 1).page(cursor)


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("state=open", "state"),
        ("paused=yes", "paused"),
        ("region=MARS", "region"),
        ("consent=ends_in_8", "consent"),
        ("team=1", "team"),
        ("labels={", "labels"),
        ("search=", "search"),
        ("ordering=name", "ordering"),
        ("metadata={}", "metadata"),
    ],
)
def test_a_wrong_parameter_is_named(query: str, wrong: str) -> None:
    with pytest.raises(ValidationError) as error:
        read_connection_query(QueryDict(query), paging=PAGING).check()
    assert set(error.value.message_dict) == {wrong}
    assert "labels" in FILTERS


@pytest.mark.usefixtures("world")
def test_accounts_are_found_by_a_label_of_their_connection(alice: User, new_account: AccountFactory) -> None:
    garden, books = (Connection.objects.get(label=label) for label in ("Garden", "Books"))
    new_account(alice, name="tulips", connection=garden)
    new_account(alice, name="novels", connection=books)
    new_account(
        User.objects.get(username="bob"), name="his", connection=Connection.objects.get(label="Bob's garden")
    )
    expected: dict[str, set[str]] = {
        "client:acme": {"tulips", "novels"},
        "tier:1": {"tulips"},
        "client:other": set(),
        '{"tier": ["1", "2"]}': {"tulips"},
    }
    for label, names in expected.items():
        assert (
            set(filter_accounts(alice, {"connection_labels": label}).values_list("name", flat=True)) == names
        )
    for max_labelled in (0, 2):
        chosen = select_by_connection(
            alice, {"connection_labels": {"client": "acme"}}, max_labelled=max_labelled
        )
        assert set(Account.objects.filter(chosen).values_list("name", flat=True)) == {"tulips", "novels"}
