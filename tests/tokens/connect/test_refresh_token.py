"""Connecting a login by an existing refresh token, and asking Amazon for its identity."""

from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.errors import ApplicationRefusedError, GrantRevokedError, TransientError
from amazon_accounts.amazon_ads.lwa import Grant
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from tests.teams import set_role, team_of
from tokens.connect.grants import Connected
from tokens.connect.identity import Identity, ask_identity
from tokens.connect.refresh_token import NotARefreshTokenError, connect_with_refresh_token
from tokens.models import Connection
from tokens.people.roles import Role
from tokens.permissions import SYSTEM, System

pytestmark = pytest.mark.django_db

ADS = "advertising::campaign_management"


async def connect(
    amazon: AmazonClient, owner: User, token: str, *, user: User | System = SYSTEM, **options: Any
) -> Connected:
    options = {"regions": ["NA"], "consented_at": None, **options}
    team = await in_thread(team_of)(owner)
    return await connect_with_refresh_token(user, team, owner, "Garden shop", token, amazon=amazon, **options)


async def test_the_token_is_proved_and_stored(alice: User, amazon: AmazonClient, sandbox: Sandbox) -> None:
    token = sandbox.refresh_token("bob")
    connected = await connect(amazon, alice, token)
    assert connected.is_new
    connection = connected.connection
    assert connection.access_token is not None
    assert connection.access_token.reveal().startswith("Atza|")
    assert connection.amazon_user_email == "bob@example.test"
    assert connection.regions == ["NA"]
    refresh = await in_thread(connection.refreshes.get)()
    assert (refresh.trigger, refresh.tries) == ("connect", 1)


@pytest.mark.parametrize(
    ("choice", "stays"),
    [({"refresh_answer": "without_refresh_token"}, True), ({"refresh_rotation": "rotate_and_end"}, False)],
)
async def test_the_token_is_stored_unless_amazon_gives_another(
    alice: User, amazon: AmazonClient, sandbox: Sandbox, choice: dict[str, str], stays: bool
) -> None:
    sandbox.choices.change(choice)
    token = sandbox.refresh_token("bob")
    connection = (await connect(amazon, alice, token)).connection
    assert connection.refresh_token is not None
    assert (connection.refresh_token.reveal() == token) is stays


@pytest.mark.parametrize("text", ["Garden-shop", "Atza|access", "Atzr|a b", ""])
async def test_what_does_not_look_like_a_refresh_token_is_not_sent(
    alice: User, amazon: AmazonClient, sandbox: Sandbox, text: str
) -> None:
    with pytest.raises(NotARefreshTokenError):
        await connect(amazon, alice, text)
    assert len(sandbox.journal) == 0


async def test_a_token_that_amazon_refuses_is_not_stored(
    alice: User, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    with pytest.raises(GrantRevokedError):
        await connect(amazon, alice, "Atzr|refused")
    assert not await in_thread(Connection.objects.exists)()


async def test_an_outage_of_amazon_stores_nothing(
    alice: User, amazon: AmazonClient, sandbox: Sandbox, settings: LazySettings
) -> None:
    settings.AMAZON_MAX_ATTEMPTS = 1
    sandbox.faults.add("error_503", path="/auth/o2/token")
    with pytest.raises(TransientError):
        await connect(amazon, alice, sandbox.refresh_token("bob"))
    assert not await in_thread(Connection.objects.exists)()


async def test_a_refused_application_stores_nothing(
    alice: User, amazon: AmazonClient, sandbox: Sandbox, settings: LazySettings
) -> None:
    settings.AMAZON_CLIENT_SECRET = "wrong"
    with pytest.raises(ApplicationRefusedError):
        await connect(amazon, alice, sandbox.refresh_token("bob"))
    assert not await in_thread(Connection.objects.exists)()


async def test_a_person_needs_the_permission(alice: User, amazon: AmazonClient, sandbox: Sandbox) -> None:
    with pytest.raises(PermissionDenied, match=r"tokens\.connect_amazon"):
        await connect(amazon, alice, sandbox.refresh_token("bob"), user=alice)
    assert sandbox.journal.count() == 0


async def test_a_person_with_the_permission_connects(
    alice: User, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    user = await in_thread(set_role)(alice, Role.OPERATOR)
    assert (await connect(amazon, alice, sandbox.refresh_token("bob"), user=user)).is_new


class TestIdentity:
    GRANT = Grant("Atza|unknown", None, 3600, "r-1")

    async def test_it_is_not_asked_for_without_the_profile_scope(
        self, amazon: AmazonClient, sandbox: Sandbox
    ) -> None:
        assert await ask_identity(self.GRANT, amazon, scope=ADS) == Identity()
        assert sandbox.journal.count() == 0

    async def test_it_is_unknown_when_amazon_does_not_give_it(
        self, alice: User, amazon: AmazonClient, sandbox: Sandbox
    ) -> None:
        token = sandbox.refresh_token("bob", scopes=(ADS,))
        connection = (await connect(amazon, alice, token)).connection
        assert (connection.amazon_user_id, connection.amazon_user) == (None, "")
        assert sandbox.journal.count(path="/user/profile") == 1

    @pytest.mark.parametrize(
        ("identity", "title"),
        [
            (Identity("7", "Bob", "bob@example.test"), "bob@example.test"),
            (Identity("7", "Bob"), "Bob"),
            (Identity("7"), "7"),
            (Identity(), ""),
        ],
    )
    def test_a_login_is_named_by_its_address_or_name_or_id(self, identity: Identity, title: str) -> None:
        assert identity.title == title
