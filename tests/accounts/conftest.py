"""The operators Alice and Bob, an administrator, accounts, and API clients of these people."""

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import Account, AccountAccess
from tests.api_keys import new_key
from tests.teams import join, team_of
from tokens.models import Connection
from tokens.people.roles import Role

AccountFactory = Callable[..., Account]
ConnectionFactory = Callable[..., Connection]
ClientFactory = Callable[[User], APIClient]


def person(name: str, role: str) -> User:
    """Make a person with this role in a team of their own."""
    user = User.objects.create_user(name, f"{name}@example.test", is_staff=True)
    if role:
        team_of(user, Role(role.lower()))
    return user


@pytest.fixture
def alice(db: None) -> User:
    return person("alice", "Operator")


@pytest.fixture
def bob(db: None) -> User:
    return person("bob", "Operator")


@pytest.fixture
def admin(alice: User, bob: User) -> User:
    """The administrator of a team of his own, and of the teams of Alice and Bob."""
    user = person("admin", "Administrator")
    for other in (alice, bob):
        join(user, team_of(other).name, Role.ADMINISTRATOR)
    return user


@pytest.fixture
def new_connection(settings: LazySettings) -> ConnectionFactory:
    numbers = count(1)

    def make(owner: User, **fields: Any) -> Connection:
        now = timezone.now()
        fields.setdefault("team", team_of(owner))
        return Connection.objects.create(
            owner=owner,
            **{
                "label": f"Login {next(numbers)}",
                "client_id": settings.AMAZON_CLIENT_ID,
                "refresh_token": "Atzr|of-nobody",
                "access_token": "Atza|of-nobody",
                "expires_at": now + timedelta(minutes=50),
                "last_synced_at": now - timedelta(minutes=5),
                **fields,
            },
        )

    return make


@pytest.fixture
def new_account(new_connection: ConnectionFactory) -> AccountFactory:
    numbers = count(1)
    connections: dict[int, Connection] = {}

    def make(user: User, name: str = "", **fields: Any) -> Account:
        number = next(numbers)
        if "connection" not in fields:
            fields["connection"] = connections.get(user.pk) or new_connection(user)
            connections[user.pk] = fields["connection"]
        fields.setdefault("team", fields["connection"].team)
        account = Account.objects.create(
            user=user,
            **{
                "name": name or f"Account {number}",
                "amazon_account_id": f"amzn1.ads-account.g.{number:08}",
                "source": Account.Source.ADS_ACCOUNTS,
                "status": Account.Status.ACTIVE,
                "amazon_status": "CREATED",
                **fields,
            },
        )
        AccountAccess.objects.create(account=account, connection=account.connection)
        return account

    return make


@pytest.fixture
def client_of() -> ClientFactory:
    def make(user: User) -> APIClient:
        token = new_key(user)
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
        return client

    return make


@pytest.fixture
def api(alice: User, client_of: ClientFactory) -> APIClient:
    """A client that speaks as Alice."""
    return client_of(alice)
