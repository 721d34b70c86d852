"""One row of every model in each of two teams, and people with every mix of roles."""

from datetime import timedelta

from django.contrib.auth.models import User
from django.utils import timezone

from accounts.models import (
    AccountChange,
    AccountManager,
    BatchItem,
    BatchOperation,
    ConnectionBatchItem,
    Note,
    Profile,
    SyncRun,
)
from tests.accounts.conftest import AccountFactory
from tests.api_keys import new_key
from tests.teams import join, set_role
from tokens.connect.links import make_connect_link
from tokens.models import (
    Alert,
    AlertAddress,
    AuthorizationAttempt,
    Event,
    MutedAlertKind,
    Session,
    TeamLogo,
    TokenRefresh,
    WebhookDelivery,
)
from tokens.people.invitations import invite
from tokens.people.roles import Role
from tokens.permissions import SYSTEM
from tokens.webhooks.manage import make_webhook
from tokens.webhooks.placing import place_events


class World:
    """Two teams with one person each, who has one row of every model, and people who have nothing."""

    def __init__(self, new_account: AccountFactory) -> None:
        self.people = {
            name: User.objects.create_user(name, is_staff=True) for name in ("owner", "other", "outsider")
        }
        self.people["member of both"] = User.objects.create_user("both", is_staff=True)
        self.people["superuser"] = User.objects.create_superuser("root")
        for name in ("owner", "other"):
            _give_rows(self.people[name], new_account)
            self.people[name] = set_role(self.people[name], Role.ADMINISTRATOR)
            join(self.people["member of both"], f"Team of {name}", Role.OPERATOR)
        Alert.objects.create(kind=Alert.Kind.APPLICATION_REFUSED, key="refused", text="Amazon refuses us.")
        place_events()


def _give_rows(user: User, new_account: AccountFactory) -> None:
    account, manager = new_account(user), new_account(user)
    connection, now, later = account.connection, timezone.now(), timezone.now() + timedelta(seconds=9)
    Profile.objects.create(account=account, profile_id=str(user.pk), region="EU", country_code="DE")
    AccountManager.objects.create(manager=manager, account=account, regions=["EU"])
    run = SyncRun.objects.create(
        connection=connection, trigger="manual", state="succeeded", started_at=now, finished_at=later
    )
    AccountChange.objects.create(account=account, run=run, kind="name", old="a", new="b")
    Note.objects.create(account=account, author=user, text="Ask Ana.")
    Note.objects.create(connection=connection, author=user, text="Ask Ana.")
    batch = BatchOperation.objects.create(user=user, operation="sync", total=1, team_ids=[account.team_id])
    BatchItem.objects.create(batch=batch, account=account)
    of_connections = BatchOperation.objects.create(
        user=user, subject="connections", operation="sync", total=1, team_ids=[account.team_id]
    )
    ConnectionBatchItem.objects.create(batch=of_connections, connection=connection, team=account.team)
    TokenRefresh.objects.create(
        connection=connection,
        grant_version=1,
        trigger="manual",
        outcome="succeeded",
        finished_at=later,
        token_valid_after=True,
    )
    Alert.objects.create(
        kind=Alert.Kind.CONNECTION_BROKEN, key=f"broken {user.pk}", connection=connection, text="Broken."
    )
    AuthorizationAttempt.objects.create(
        state_digest=f"state of {user.username}", session_digest="session", user=user
    )
    invite(SYSTEM, account.team, f"{user.pk}@example.com", "viewer")
    make_connect_link(SYSTEM, account.team, label="Copperleaf", owner=user)
    TeamLogo.objects.create(team=account.team, png=b"x")
    Session.objects.create(key_digest=f"key of {user.username}", data="", user=user)
    AlertAddress.objects.create(team=account.team, name="Channel", service="Slack", address="x")
    MutedAlertKind.objects.create(user=user, kind=Alert.Kind.CONNECTION_HEALED)
    new_key(user)
    webhook, _ = make_webhook(
        SYSTEM, account.team, url="https://hooks.example.com/amazon", events=["sync.ended"]
    )
    event = Event.objects.filter(team=account.team_id)[0]
    WebhookDelivery.objects.create(webhook=webhook, event=event, object_id=event.object_id, place=0)
