"""Every way to read rows shows a person the rows that `visible_to` gives, with every mix of permissions."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import LazySettings
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from accounts.models import (
    Account,
    AccountChange,
    BatchItem,
    BatchOperation,
    ConnectionBatchItem,
    Note,
    Profile,
    SyncRun,
)
from tests.accounts.access.rows_of_teams import World
from tests.accounts.access.test_table import rows as table_rows
from tests.accounts.conftest import AccountFactory, ClientFactory
from tests.teams import set_role
from tokens.models import (
    Connection,
    ConnectLink,
    Event,
    Membership,
    Team,
    TokenRefresh,
    Webhook,
    WebhookDelivery,
)
from tokens.people.roles import Role
from tokens.permissions import SYSTEM, Actor, may

# Other tests cover the same code, and measuring makes the many requests three times as slow.
pytestmark = pytest.mark.no_cover

# Nobody owns the rows of these models: the permission to view the model decides alone.
WITHOUT_OWNER = {
    "accounts.accountsearch",
    # They are read only with the connection, which decides who sees them.
    "accounts.availability",
    "tokens.connectionperiod",
    "amazon_ads.applicationrefusal",
    "amazon_ads.billingrequestform",
    "amazon_ads.parkedlogin",
    "amazon_ads.ratelimit",
    "amazon_ads.ratelimithour",
    "auth.user",
    "django_apscheduler.djangojob",
    "django_apscheduler.djangojobexecution",
    "mfa.authenticator",
    "procrastinate.procrastinatejob",
    "procrastinate.procrastinateworker",
    # tests/tokens/people/audit has who sees the audit trail.
    "tokens.activityvisit",
    "tokens.alertdelivery",
    "tokens.alerttimes",
    "tokens.auditcheckpoint",
    "tokens.auditentry",
    "tokens.auditkey",
    "tokens.auditlink",
    "tokens.auditmail",
    "tokens.chosenteam",
    "tokens.erasedperson",
    "tokens.failure",
    "tokens.heartbeat",
    "tokens.renewalmail",
    # They are a person's own, or shared: tests/dashboard/test_saved_views.py, tests/accounts/api/test_views.py.
    "tokens.savedview",
    "tokens.schedulerlead",
    "tokens.requestclock",
    "tokens.signinpace",
    "tokens.waitingalert",
    "tokens.watch",
}
# The people who read: the member of one team in each role, the member of two, somebody in none, and a superuser.
READERS = [*Role.values, "member of both", "outsider", "superuser"]


class Visitor:
    """A client that asks for each address once and keeps the answer."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.answers: dict[str, Any] = {}

    def get(self, address: str) -> Any:
        if address not in self.answers:
            self.answers[address] = self.client.get(address)
        return self.answers[address]


Reader = Callable[[Visitor], set[str]]


@pytest.fixture
def world(db: None, new_account: AccountFactory) -> World:
    return World(new_account)


def choose(world: World, reader: str) -> User:
    """Return the reader; a role is that of the owner."""
    if reader in Role.values:
        return set_role(world.people["owner"], Role(reader))
    return User.objects.get(pk=world.people[reader].pk)


def keys_visible_to(user: Actor, model: type[Model]) -> set[str]:
    rows: Any = model._default_manager.all()
    return {str(row.pk) for row in rows.visible_to(user)}


def all_keys_visible_to(user: Actor) -> dict[type[Model], set[str]]:
    return {model: keys_visible_to(user, model) for model in models_with_owner()}


def models_with_owner() -> list[type[Model]]:
    models = [*apps.get_app_config("accounts").get_models(), *apps.get_app_config("tokens").get_models()]
    return [model for model in models if model._meta.label_lower not in WITHOUT_OWNER]


# Each reader returns the keys of the rows that one address shows to a visitor.


def results(address: str, key: Callable[[dict[str, Any]], str]) -> Reader:
    return lambda visitor: {key(row) for row in visitor.get(f"/{address}").json().get("results", [])}


def details(address: str, model: type[Model]) -> Reader:
    """Ask for each row of the model by its address; a row that the person does not see is not found."""

    def read(visitor: Visitor) -> set[str]:
        answers = {
            str(key): visitor.get("/" + re.sub("<uuid:.*?>", str(key), address)).status_code
            for key in model._default_manager.values_list("pk", flat=True)
        }
        assert set(answers.values()) <= {200, 302, 403, 404}
        return {key for key, status in answers.items() if status == 200}

    return read


def parts(address: str, parents: type[Model], key: Callable[[dict[str, Any]], str]) -> Reader:
    """Ask for the parts of each row of another model."""

    def read(visitor: Visitor) -> set[str]:
        found: set[str] = set()
        for parent in parents._default_manager.values_list("pk", flat=True):
            answer = visitor.get("/" + re.sub("<uuid:.*?>", str(parent), address))
            if answer.status_code == 200:
                found |= {key(row) for row in answer.json()["results"]}
        return found

    return read


def links(address: str, model: type[Model], link: Callable[[Any], str]) -> Reader:
    """Look on a page for a link that only this row of the model has."""

    def read(visitor: Visitor) -> set[str]:
        response = visitor.get(f"/{address}")
        html = response.content.decode() if response.status_code == 200 else ""
        return {str(row.pk) for row in model._default_manager.all() if f'href="{link(row)}"' in html}

    return read


def client_links(visitor: Visitor) -> set[str]:
    html = visitor.get("/links/").content.decode()
    return {str(link.pk) for link in ConnectLink.objects.all() if f'id="link-{link.pk}"' in html}


def on_pages_of(address: str, parents: type[Model], name: str) -> Reader:
    """Collect the rows that the pages of another model were rendered with, under this name."""

    def read(visitor: Visitor) -> set[str]:
        found: set[str] = set()
        for parent in parents._default_manager.values_list("pk", flat=True):
            response = visitor.get(f"/{address}/{parent}/")
            if response.status_code == 200:
                found |= {str(row.pk) for row in response.context[name]}
        return found

    return read


def changelist(model: type[Model]) -> Reader:
    def read(visitor: Visitor) -> set[str]:
        response = visitor.get(f"/admin/{model._meta.label_lower.replace('.', '/')}/")
        if response.status_code != 200:
            return set()
        return {str(row.pk) for row in response.context["cl"].result_list}

    return read


def exported(visitor: Visitor) -> set[str]:
    lines = b"".join(visitor.get("/api/v1/accounts/export/?format=csv")).decode()
    return {str(account.pk) for account in Account.objects.all() if account.amazon_account_id in lines}


def by_id(row: dict[str, Any]) -> str:
    return str(row["id"])


def change_key(row: dict[str, Any]) -> str:
    return str(AccountChange.objects.get(account=row["account"], kind=row["kind"]).pk)


def profile_key(row: dict[str, Any]) -> str:
    return str(Profile.objects.get(profile_id=row["profile_id"]).pk)


def item_key(row: dict[str, Any]) -> str:
    return str(BatchItem.objects.get(account=row["account"]).pk)


def connection_item_key(row: dict[str, Any]) -> str:
    return str(ConnectionBatchItem.objects.get(connection=row["connection"]).pk)


def batches(visitor: Visitor) -> set[str]:
    """Ask for each batch where it is: among those of accounts, or those of connections."""
    addresses = (f"api/v1/{subject}/batch/{BATCH}" for subject in ("accounts", "connections"))
    return set().union(*(details(address, BatchOperation)(visitor) for address in addresses))


def listed_batches(visitor: Visitor) -> set[str]:
    lists = (f"api/v1/{subject}/batch/" for subject in ("accounts", "connections"))
    return set().union(*(results(address, by_id)(visitor) for address in lists))


def members(visitor: Visitor) -> set[str]:
    found: set[str] = set()
    for team in Team.objects.all():
        answer = visitor.get(f"/api/v1/teams/{team.pk}/members/")
        names = [row["user"] for row in answer.json()["results"]] if answer.status_code == 200 else []
        keys = Membership.objects.filter(team=team, user__username__in=names).values_list("pk", flat=True)
        found |= {str(key) for key in keys}
    return found


ACCOUNT, BATCH, CONNECTION = "<uuid:account_id>/", "<uuid:batch_id>/", "<uuid:connection_id>/"
API: dict[str, tuple[type[Model], Reader]] = {
    "accounts/": (Account, results("api/v1/accounts/", by_id)),
    f"accounts/{ACCOUNT}": (Account, details(f"api/v1/accounts/{ACCOUNT}", Account)),
    "accounts/export/": (Account, exported),
    "accounts/amazon-profiles/": (Profile, results("api/v1/accounts/amazon-profiles/", profile_key)),
    "accounts/changes/": (AccountChange, results("api/v1/accounts/changes/", change_key)),
    f"accounts/{ACCOUNT}changes/": (
        AccountChange,
        parts(f"api/v1/accounts/{ACCOUNT}changes/", Account, change_key),
    ),
    "accounts/batch/": (BatchOperation, listed_batches),
    "connections/batch/": (BatchOperation, listed_batches),
    f"accounts/batch/{BATCH}": (BatchOperation, batches),
    f"connections/batch/{BATCH}": (BatchOperation, batches),
    f"connections/batch/{BATCH}items/": (
        ConnectionBatchItem,
        parts(f"api/v1/connections/batch/{BATCH}items/", BatchOperation, connection_item_key),
    ),
    f"accounts/batch/{BATCH}items/": (
        BatchItem,
        parts(f"api/v1/accounts/batch/{BATCH}items/", BatchOperation, item_key),
    ),
    "accounts/sync-runs/": (SyncRun, results("api/v1/accounts/sync-runs/", by_id)),
    "connections/": (Connection, results("api/v1/connections/", by_id)),
    f"connections/{CONNECTION}": (Connection, details(f"api/v1/connections/{CONNECTION}", Connection)),
    f"connections/{CONNECTION}availability/": (
        Connection,
        details(f"api/v1/connections/{CONNECTION}availability/", Connection),
    ),
    f"connections/{CONNECTION}refreshes/": (
        TokenRefresh,
        parts(f"api/v1/connections/{CONNECTION}refreshes/", Connection, by_id),
    ),
}
API |= {
    "notes/": (Note, results("api/v1/notes/", by_id)),
    "webhooks/": (Webhook, results("api/v1/webhooks/", by_id)),
    "webhooks/<uuid:webhook_id>/": (Webhook, details("api/v1/webhooks/<uuid:webhook_id>/", Webhook)),
    "webhooks/<uuid:webhook_id>/deliveries/": (
        WebhookDelivery,
        parts("api/v1/webhooks/<uuid:webhook_id>/deliveries/", Webhook, by_id),
    ),
    "connect-links/": (ConnectLink, results("api/v1/connect-links/", by_id)),
    "events/": (Event, results("api/v1/events/", by_id)),
    "teams/": (Team, results("api/v1/teams/", by_id)),
    "teams/<uuid:team_id>/members/": (Membership, members),
}
API_WITHOUT_ROWS = {"accounts/health/", "audit/", "schema/", "docs/", "views/"}

PAGES: dict[str, tuple[type[Model], Reader]] = {
    "client links": (ConnectLink, client_links),
    "webhooks": (Webhook, links("webhooks/", Webhook, lambda row: f"/webhooks/{row.pk}/")),
    "webhook": (Webhook, details("webhooks/<uuid:webhook_id>/", Webhook)),
    "deliveries of a webhook": (WebhookDelivery, on_pages_of("webhooks", Webhook, "deliveries")),
    "accounts": (Account, links("accounts/", Account, lambda row: f"/accounts/{row.pk}/")),
    "account": (Account, details(f"accounts/{ACCOUNT}", Account)),
    "profiles of an account": (Profile, on_pages_of("accounts", Account, "profiles")),
    "changes of an account": (AccountChange, on_pages_of("accounts", Account, "changes")),
    "connections": (Connection, links("connections/", Connection, lambda row: f"/connections/{row.pk}/")),
    "renewals": (Connection, links("renewals/", Connection, lambda row: f"/connections/{row.pk}/")),
    "connection": (Connection, details(f"connections/{CONNECTION}", Connection)),
    "availability of a connection": (
        Connection,
        details(f"connections/{CONNECTION}availability.csv", Connection),
    ),
    "runs of a connection": (SyncRun, on_pages_of("connections", Connection, "runs")),
    "refreshes of a connection": (TokenRefresh, on_pages_of("connections", Connection, "refreshes")),
    "operations": (
        BatchOperation,
        links("operations/", BatchOperation, lambda row: f"/operations/{row.pk}/"),
    ),
    "operation": (BatchOperation, details(f"operations/{BATCH}", BatchOperation)),
    "results of an operation": (BatchOperation, details(f"operations/{BATCH}results.csv", BatchOperation)),
    "activity of syncs": (
        SyncRun,
        links("activity/?kind=sync", SyncRun, lambda row: f"/connections/{row.connection_id}/"),
    ),
    "activity of refreshes": (
        TokenRefresh,
        links("activity/?kind=refresh", TokenRefresh, lambda row: f"/connections/{row.connection_id}/"),
    ),
    "activity of changes": (
        AccountChange,
        links("activity/?kind=change", AccountChange, lambda row: f"/accounts/{row.account_id}/"),
    ),
    "activity of operations": (
        BatchOperation,
        links("activity/?kind=batch", BatchOperation, lambda row: f"/operations/{row.pk}/"),
    ),
}


@pytest.mark.parametrize("reader", READERS)
def test_the_api_shows_what_is_visible(world: World, client_of: ClientFactory, reader: str) -> None:
    user = choose(world, reader)
    visitor = Visitor(client_of(user))
    visible = all_keys_visible_to(user)
    found = {address: read(visitor) for address, (_, read) in API.items()}
    assert found == {address: visible[model] for address, (model, _) in API.items()}


@pytest.mark.parametrize("reader", READERS)
def test_the_pages_show_what_is_visible(world: World, client: Client, reader: str) -> None:
    user = choose(world, reader)
    client.force_login(user)
    visitor = Visitor(client)
    visible = all_keys_visible_to(user)
    found = {page: read(visitor) for page, (_, read) in PAGES.items()}
    # Who is in no team opens no page, not even that of an operation that they started.
    opens = reader != "outsider"
    assert found == {page: visible[model] if opens else set() for page, (model, _) in PAGES.items()}


def offered_in_admin(user: User, model: type[Model]) -> bool:
    return may(user, f"{model._meta.app_label}.view_{model._meta.model_name}")


@pytest.mark.parametrize("reader", READERS)
def test_the_admin_shows_what_is_visible(world: World, client: Client, reader: str) -> None:
    models = [model for model in admin.site._registry if model._meta.label_lower not in WITHOUT_OWNER]
    user = choose(world, reader)
    client.force_login(user)
    visitor = Visitor(client)
    visible = all_keys_visible_to(user)
    expected = {model: visible[model] if offered_in_admin(user, model) else set() for model in models}
    assert {model: changelist(model)(visitor) for model in models} == expected
    assert {model: admin_pages(model, "change")(visitor) for model in models} == expected
    assert {model: admin_pages(model, "history")(visitor) for model in models} == expected


def admin_pages(model: type[Model], page: str) -> Reader:
    """Ask for the page of each row in the admin; a row that the person does not see is not found."""

    def read(visitor: Visitor) -> set[str]:
        rows = list(model._default_manager.values_list("pk", flat=True))
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}"
        answers = {str(key): visitor.get(reverse(name, args=[quote(str(key))])).status_code for key in rows}
        assert set(answers.values()) <= {200, 403, 404}
        return {key for key, status in answers.items() if status == 200}

    return read


class TestEachModel:
    def test_an_owner_sees_one_half(self, world: World) -> None:
        for model in models_with_owner():
            owner, other = (keys_visible_to(world.people[name], model) for name in ("owner", "other"))
            assert owner, model
            assert len(owner) == len(other), model
            assert not owner & other, model

    def test_a_person_without_rows_sees_nothing(self, world: World) -> None:
        assert all_keys_visible_to(world.people["outsider"]) == {
            model: set() for model in models_with_owner()
        }

    @pytest.mark.parametrize("who", ["superuser", "system"])
    def test_a_superuser_and_the_system_see_everything(self, world: World, who: str) -> None:
        user = world.people["superuser"] if who == "superuser" else SYSTEM
        everything = {
            model: {str(key) for key in model._default_manager.values_list("pk", flat=True)}
            for model in models_with_owner()
        }
        assert all_keys_visible_to(user) == everything

    @pytest.mark.parametrize("who", ["inactive", "anonymous"])
    def test_a_person_who_may_not_sign_in_sees_nothing(self, world: World, who: str) -> None:
        owner = choose(world, Role.ADMINISTRATOR)
        owner.is_active = False
        user = owner if who == "inactive" else AnonymousUser()
        assert all_keys_visible_to(user) == {model: set() for model in models_with_owner()}


def test_every_model_with_an_owner_has_visible_to() -> None:
    without = [model for model in models_with_owner() if not hasattr(model._default_manager, "visible_to")]
    without += [
        model
        for model in admin.site._registry
        if model._meta.label_lower not in WITHOUT_OWNER and not hasattr(model._default_manager, "visible_to")
    ]
    assert without == []


def test_every_address_of_the_api_is_read() -> None:
    readable = {
        address.removeprefix("api/v1/")
        for method, address, _ in table_rows()
        if method == "GET" and address.startswith("api/v1/")
    }
    assert readable == API.keys() | API_WITHOUT_ROWS


def test_nothing_asks_past_the_one_place(settings: LazySettings) -> None:
    """`user.has_perm` knows no limits of a key for a superuser, so only `tokens/permissions.py` asks the backend."""
    root = Path(settings.BASE_DIR)
    asking = {
        str(file.relative_to(root))
        for app in ("accounts", "tokens", "dashboard")
        for file in (root / app).rglob("*.py")
        if "migrations" not in file.parts
        and re.search(r"\.has_perms?\(|Membership\.objects|\.memberships", file.read_text())
    }
    # These show who the members are, or make members of people.
    asking -= {"accounts/api/teams.py", "dashboard/views/teams.py", "tokens/people/groups.py"}
    assert asking == {
        "tokens/permissions.py",
        "tokens/people/backend.py",
        "tokens/models/team.py",
        "tokens/people/teams.py",
    }
