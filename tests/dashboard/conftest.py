"""The cast: alice owns connections and accounts, bob has one of his own, and staff of each group looks on."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.cache import caches
from django.test import Client
from django.utils import timezone

from accounts.models import Account, AccountAccess, Profile, Standing
from tests.sign_ins import sign_in
from tests.teams import join, team_of
from tokens.models import Connection
from tokens.people.roles import Role

MakeConnection = Callable[..., Connection]
MakeAccount = Callable[..., Account]
LogIn = Callable[[User], Client]


def squeeze(html: str) -> str:
    """Drop the whitespace that only formats a template: around tags, and all but one space elsewhere."""
    return re.sub(r" ?([<>]) ?", r"\1", " ".join(html.split()))


def staff(name: str, *roles: str) -> User:
    user = User.objects.create_user(name, is_staff=True)
    for role in roles:
        team_of(user, Role(role.lower()))
    return user


@pytest.fixture(autouse=True)
def forget_figures() -> None:
    # A process keeps the figures of pages for some seconds, and the tests share the process.
    caches["process"].clear()


@pytest.fixture
def alice(db: None) -> User:
    return staff("alice", "Operator")


@pytest.fixture
def bob(db: None) -> User:
    return staff("bob", "Operator")


@pytest.fixture
def administrator(alice: User, bob: User) -> User:
    """The administrator of a team of her own, and of the teams of alice and bob."""
    ada = staff("ada", "Administrator")
    for other in (alice, bob):
        join(ada, team_of(other).name, Role.ADMINISTRATOR)
    return ada


@pytest.fixture
def superuser(db: None) -> User:
    return User.objects.create_superuser("root")


@pytest.fixture
def log_in() -> LogIn:
    def log_in(user: User) -> Client:
        client = Client()
        sign_in(client, user)
        return client

    return log_in


@pytest.fixture
def make_connection(db: None) -> MakeConnection:
    def make(owner: User, label: str = "Northwind", **fields: Any) -> Connection:
        now = timezone.now()
        known: dict[str, Any] = {
            "client_id": settings.AMAZON_CLIENT_ID,
            "access_token": "Atza|never-shown",
            "refresh_token": "Atzr|never-shown",
            "expires_at": now + timedelta(minutes=49, seconds=30),
            "last_synced_at": now - timedelta(minutes=4),
        }
        if fields.get("state") == Connection.State.DISCONNECTED:
            known |= {
                "access_token": None,
                "refresh_token": None,
                "expires_at": None,
                "disconnected_at": timezone.now() + timedelta(seconds=1),
            }
        fields.setdefault("team", team_of(owner))
        return Connection.objects.create(owner=owner, label=label, **{**known, **fields})

    return make


@pytest.fixture
def make_account(db: None) -> MakeAccount:
    number = iter(range(1_000_000))

    def make(connection: Connection, name: str = "", **fields: Any) -> Account:
        known: dict[str, Any] = {
            "amazon_account_id": f"amzn1.ads-account.g.{next(number):06}",
            "source": Account.Source.ADS_ACCOUNTS,
            "status": Account.Status.ACTIVE,
            "account_type": Account.Type.SELLER,
            "amazon_status": "CREATED",
            "standing": Standing.GOOD,
            "countries": ["DE"],
        }
        if fields.get("status") == Account.Status.INACTIVE:
            known["inactive_reason"] = Account.InactiveReason.NOT_VISIBLE
        account = Account.objects.create(
            team=connection.team,
            user=connection.owner,
            connection=connection,
            name=name,
            **{**known, **fields},
        )
        AccountAccess.objects.create(account=account, connection=connection)
        return account

    return make


@pytest.fixture
def make_profile(db: None) -> Callable[..., Profile]:
    def make(account: Account, country: str, profile_id: str, **fields: Any) -> Profile:
        return Profile.objects.create(
            account=account, country_code=country, profile_id=profile_id, **{"region": "EU", **fields}
        )

    return make
