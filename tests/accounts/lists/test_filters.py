"""The filters of accounts: their SQL chooses the same accounts as the properties of the model."""

import json
import random
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils import timezone

from accounts.errors import UnknownObjectError
from accounts.lists.by_connection import NO_REASON, select_by_connection
from accounts.lists.filters import filter_accounts
from accounts.lists.parameters import MAX_JSON_LENGTH
from accounts.lists.search_index import index_some
from accounts.models import Account, AccountAccess, AccountSearch, HealthReason, Profile
from tests.accounts.conftest import AccountFactory, ConnectionFactory
from tokens.permissions import SYSTEM

STATES = [
    *((status, None, "good") for status in Account.Status.values if status != "inactive"),
    *(("active", None, standing) for standing in ("at_risk", "unknown")),
    ("pending", None, "set_up"),
    ("pending", None, "at_risk"),
    ("suspended", None, "suspended"),
    *(("inactive", reason, "unknown") for reason in Account.InactiveReason.values),
]


@pytest.fixture
def world(
    alice: User, new_account: AccountFactory, new_connection: ConnectionFactory, settings: LazySettings
) -> list[Account]:
    """Accounts in every state, of connections in every state."""
    now, interval = timezone.now(), settings.SYNC_INTERVAL_SECONDS
    connections = [
        new_connection(alice, last_synced_at=synced, sync_failures=failures, state=state)
        for synced in (None, now - timedelta(seconds=interval), now - timedelta(seconds=3 * interval))
        for failures in (0, 3)
        for state in ("active", "reauthorization_required")
    ]
    connections += [
        new_connection(alice, last_synced_at=None, sync_failures=number, paused=True) for number in (0, 3)
    ]
    return [
        new_account(
            alice, status=status, sync_enabled=enabled, unread_regions=unread, connection=connection,
            inactive_reason=reason, standing=standing,
        )
        for connection in connections
        for status, reason, standing in STATES
        for enabled, unread in ((True, []), (True, ["NA"]), (False, []))
    ] + [new_account(alice, source="dsp_advertisers", connection=connections[4])]  # fmt: skip


@pytest.mark.parametrize(
    ("parameter", "words"),
    [
        ("sync_status", Account.SyncStatus.values),
        ("health", Account.Health.values),
        ("health_reason", [*HealthReason.values, NO_REASON]),
    ],
)
def test_the_filter_agrees_with_the_property_of_an_account(
    alice: User, world: list[Account], parameter: str, words: list[str]
) -> None:
    said = {
        account.pk: str(getattr(account, parameter) or NO_REASON)
        for account in Account.objects.select_related("connection")
    }
    found = {word: {row.pk for row in filter_accounts(alice, {parameter: word})} for word in words}
    assert found == {word: {pk for pk, own in said.items() if own == word} for word in words}
    assert all(found.values())
    several = words[:2]
    assert {row.pk for row in filter_accounts(alice, {parameter: several})} == found[words[0]] | found[
        words[1]
    ]


def test_accounts_are_found_by_standing_and_by_a_coming_suspension(
    alice: User, new_account: AccountFactory
) -> None:
    soon, late = (timezone.now() + timedelta(days=days) for days in (3, 30))
    first = new_account(alice, standing="at_risk", suspension_at=soon)
    second = new_account(alice, standing="at_risk", suspension_at=late)
    third = new_account(alice, standing="suspended", suspended_in=["DE"])
    new_account(alice, standing="good")
    found = filter_accounts(alice, {"standing": ["at_risk", "suspended"]})
    assert set(found) == {first, second, third}
    week = (timezone.now() + timedelta(days=7)).isoformat()
    assert set(filter_accounts(alice, {"suspension_before": week})) == {first}
    with pytest.raises(ValidationError):
        filter_accounts(alice, {"suspension_before": "tomorrow"})


def test_filters_are_combined(alice: User, world: list[Account]) -> None:
    rows = filter_accounts(
        alice, {"health": ["ok", "problem"], "status": "active", "connection": str(world[0].connection_id)}
    )
    assert {row.pk for row in rows} == {
        row.pk
        for row in Account.objects.filter(connection=world[0].connection, status="active")
        if row.health in {"ok", "problem"}
    }


def test_marketplaces_and_countries_are_filtered(alice: User, new_account: AccountFactory) -> None:
    german = new_account(alice, countries=["DE", "AT"])
    american = new_account(alice, countries=["US"])
    for account, marketplace in ((german, "A1PA6795UKMFR9"), (american, "ATVPDKIKX0DER")):
        for number in range(2):
            Profile.objects.create(
                account=account, profile_id=str(number), region="EU", marketplace_id=marketplace
            )
    assert list(filter_accounts(alice, {"country": "AT"})) == [german]
    assert list(filter_accounts(alice, {"country": ["AT", "US"]})) == [german, american]
    assert list(filter_accounts(alice, {"marketplace": "ATVPDKIKX0DER"})) == [american]
    assert list(filter_accounts(alice, {"marketplace": "A1F83G8C2ARO7P"})) == []


class TestContent:
    @pytest.fixture(params=["common", "rare"])
    def common_share(self, request: pytest.FixtureRequest) -> float:
        return -1.0 if request.param == "common" else 2.0

    @pytest.fixture(params=["indexed", "not yet indexed"])
    def indexed(self, request: pytest.FixtureRequest) -> bool:
        return bool(request.param == "indexed")

    @pytest.mark.parametrize(
        ("term", "found"),
        [
            ("garden", ["Garden Tools", "big gardens"]),
            ("GARDEN T", ["Garden Tools"]),
            ("ools", ["Garden Tools"]),
            ("r", ["Garden Tools", "big gardens"]),
            ("en", ["Garden Tools", "big gardens"]),
            ("100%", ["100% _Äpfel_"]),
            ("_ä", ["100% _Äpfel_"]),
            ("ÄPFEL", ["100% _Äpfel_"]),
            ("\\", ["back\\slash 'quoted'"]),
            ("'quo", ["back\\slash 'quoted'"]),
            ("g.00000002", ["big gardens"]),
            ("gra", []),
            ("denga", []),
            ("18446744073709551615", ["big gardens"]),
            ("1844674407370955161", []),
        ],
    )
    def test_it_finds_text_anywhere(
        self,
        alice: User,
        new_account: AccountFactory,
        term: str,
        found: list[str],
        *,
        indexed: bool,
        common_share: float,
    ) -> None:
        new_account(alice, "Garden Tools")
        gardens = new_account(alice, "big gardens")
        new_account(alice, "100% _Äpfel_")
        new_account(alice, "back\\slash 'quoted'")
        Profile.objects.create(account=gardens, profile_id=str(2**64 - 1), region="EU")
        if indexed:
            assert index_some() == 4
        rows = list(filter_accounts(alice, {"search": term}, common_share=common_share).order_by("name"))
        assert [row.name for row in rows] == sorted(found)

    def test_it_finds_our_own_id(
        self, alice: User, new_account: AccountFactory, *, indexed: bool, common_share: float
    ) -> None:
        account, _ = new_account(alice), new_account(alice)
        if indexed:
            index_some()
        assert list(filter_accounts(alice, {"search": str(account.pk)}, common_share=common_share)) == [
            account
        ]

    def test_it_finds_objects_that_contain_the_object(
        self, alice: User, new_account: AccountFactory, common_share: float
    ) -> None:
        north = new_account(alice, labels={"team": "north", "tier": "1"}, metadata={"a": {"b": [1, 2]}})
        new_account(alice, labels={"team": "south", "tier": "1"}, metadata={"a": {"b": [3]}})
        assert list(filter_accounts(alice, {"labels": {"team": "north"}}, common_share=common_share)) == [
            north
        ]
        assert (
            list(
                filter_accounts(
                    alice, {"labels": '{"team": "north", "tier": "2"}'}, common_share=common_share
                )
            )
            == []
        )
        assert list(filter_accounts(alice, {"metadata": {"a": {"b": [2]}}}, common_share=common_share)) == [
            north
        ]
        assert filter_accounts(alice, {"labels": {}}, common_share=common_share).count() == 2

    def test_of_several_values_of_a_label_an_account_has_any(
        self, alice: User, new_account: AccountFactory, common_share: float
    ) -> None:
        for team, tier in (("north", "1"), ("south", "1"), ("north", "2"), ("east", "1")):
            new_account(alice, name=f"{team}{tier}", labels={"team": team, "tier": tier})
        found = filter_accounts(
            alice, {"labels": {"team": ["north", "south"], "tier": "1"}}, common_share=common_share
        )
        assert {account.name for account in found} == {"north1", "south1"}

    @pytest.mark.parametrize(
        ("labels", "names"),
        [
            ({"team": None}, {"bare", "tier"}),
            ({"team": None, "tier": "1"}, {"tier"}),
            ({"team": ["north", None], "tier": None}, {"north", "bare"}),
            ('{"team": null, "tier": null}', {"bare"}),
            ("team:", set()),
        ],
    )
    def test_null_means_that_a_label_is_absent(
        self, alice: User, new_account: AccountFactory, common_share: float, labels: Any, names: set[str]
    ) -> None:
        new_account(alice, name="north", labels={"team": "north"})
        new_account(alice, name="both", labels={"team": "south", "tier": "1"})
        new_account(alice, name="tier", labels={"tier": "1"})
        new_account(alice, name="bare")
        found = filter_accounts(alice, {"labels": labels}, common_share=common_share)
        assert {account.name for account in found} == names


def test_a_renamed_account_is_indexed_again(alice: User, new_account: AccountFactory) -> None:
    account = new_account(alice, "first name")
    assert index_some() == 1
    Account.objects.filter(pk=account.pk).update(status="pending")
    assert AccountSearch.objects.get().is_indexed
    Account.objects.filter(pk=account.pk).update(name="Second Name")
    entry = AccountSearch.objects.get()
    assert entry.text.startswith("second name\n")
    assert not entry.is_indexed
    assert index_some() == 1
    assert index_some() == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": 1},
        {"status": ["active", 1]},
        {"status": {}},
        {"status": []},
        {"search": {"a": "b"}},
        {"search": None},
    ],
)
def test_a_filter_with_a_value_of_a_wrong_type_is_refused(alice: User, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        filter_accounts(alice, wrong)
    assert set(caught.value.message_dict) == set(wrong)


def test_a_connection_of_another_person_does_not_exist(
    alice: User, bob: User, admin: User, new_account: AccountFactory
) -> None:
    account = new_account(bob)
    with pytest.raises(UnknownObjectError):
        filter_accounts(alice, {"connection": str(account.connection_id)})
    assert list(filter_accounts(admin, {"connection": str(account.connection_id)})) == [account]
    assert list(filter_accounts(SYSTEM, {"connection": str(account.connection_id)})) == [account]


@pytest.mark.parametrize("max_shared", [0, 10])
def test_the_filter_by_connection_finds_what_the_login_sees_also_if_another_one_syncs_it(
    alice: User, new_account: AccountFactory, new_connection: ConnectionFactory, max_shared: int
) -> None:
    ana, farah = new_connection(alice), new_connection(alice)
    refused = new_connection(alice, state="reauthorization_required")
    shared, own, other = (
        new_account(alice, connection=ana),
        new_account(alice, connection=farah),
        new_account(alice),
    )
    of_refused = new_account(alice, connection=refused)
    for account in (shared, of_refused):
        AccountAccess.objects.create(account=account, connection=farah)

    def find(**filters: list[str]) -> set[Account]:
        asked = {"connection": [str(farah.pk)], **filters}
        return set(Account.objects.filter(select_by_connection(alice, asked, max_shared=max_shared)))

    assert find() == {shared, own, of_refused}
    assert find(health_reason=["login_refused"]) == {of_refused}
    assert other not in find()


def test_a_search_finds_the_same_names_as_python(alice: User, new_account: AccountFactory) -> None:
    chance = random.Random(7)
    texts = ["".join(chance.choices("beBE% _\\ü", k=chance.randrange(1, 9))) for _ in range(60)]
    for text in texts:
        new_account(alice, text)
    index_some()
    for _ in range(40):
        term = "".join(chance.choices("beB%_\\ü", k=chance.randrange(1, 5)))
        found = {row.name for row in filter_accounts(alice, {"search": term})}
        assert found == {text for text in texts if term.lower() in text.lower()}, term


@pytest.mark.parametrize("parameter", ["metadata", "labels"])
def test_the_length_of_an_object_is_limited(alice: User, parameter: str) -> None:
    longest = {"a": "ü" * (MAX_JSON_LENGTH - len('{"a":""}'))}
    for value in (longest, json.dumps(longest, ensure_ascii=False, separators=(",", ":"))):
        assert not filter_accounts(alice, {parameter: value}).exists()
    longer = {"a": f"{longest['a']}ü"}
    for value in (longer, json.dumps(longer)):
        with pytest.raises(ValidationError) as caught:
            filter_accounts(alice, {parameter: value})
        assert caught.value.message_dict == {parameter: ["It may have at most 4,000 characters."]}
