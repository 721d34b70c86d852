"""Django's admin: every model, quick on big tables, no secrets, and the same operations as the pages."""

from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.conf import LazySettings
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db.models import CompositePrimaryKey, Model
from django.test import Client
from django.utils import timezone
from django_apscheduler.models import DjangoJob, DjangoJobExecution
from procrastinate.contrib.django.models import ProcrastinateJob, ProcrastinateWorker
from pytest_django import DjangoAssertNumQueries
from unfold.admin import ModelAdmin

from accounts.models import (
    Account,
    AccountManager,
    AccountSearch,
    Availability,
    BatchOperation,
    Note,
    SyncRun,
)
from amazon_accounts.amazon_ads.models import RateLimit
from tests.api_keys import new_key
from tests.dashboard.conftest import LogIn, MakeAccount, MakeConnection, squeeze, staff
from tokens.models import (
    ActivityVisit,
    AlertAddress,
    AlertDelivery,
    AlertTimes,
    ApiKey,
    AuditCheckpoint,
    AuditEntry,
    AuditKey,
    AuditLink,
    AuditMail,
    ChosenTeam,
    Connection,
    ConnectionPeriod,
    ConnectLink,
    Event,
    Failure,
    Heartbeat,
    Invitation,
    MutedAlertKind,
    RenewalMail,
    RequestClock,
    SavedView,
    SchedulerLead,
    SignInPace,
    Team,
    TeamLogo,
    TokenRefresh,
    WaitingAlert,
    Watch,
    Webhook,
    WebhookDelivery,
)
from tokens.permissions import SYSTEM
from tokens.refresh.tasks import request_refresh

OURS = ("accounts", "tokens", "amazon_ads")
# A side table of the search, kept by triggers: it shows nothing that the account does not.
# The audit trail, invitations and webhooks have pages of their own or are read by the API, the page of a connection shows
# its availability, and what a person chooses is their own.
NOT_SHOWN = {
    AccountSearch,
    ActivityVisit,
    AlertAddress,
    AlertDelivery,
    AlertTimes,
    AuditCheckpoint,
    AuditEntry,
    AuditKey,
    AuditLink,
    AuditMail,
    Availability,
    SavedView,
    ChosenTeam,
    ConnectLink,
    ConnectionPeriod,
    Event,
    Invitation,
    MutedAlertKind,
    Note,
    RenewalMail,
    RequestClock,
    SchedulerLead,
    SignInPace,
    TeamLogo,
    WaitingAlert,
    Watch,
    Webhook,
    WebhookDelivery,
}
MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)


def address(model: type[Model], page: str = "changelist") -> str:
    base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    return base if page == "changelist" else f"{base}{page}/change/"


@pytest.fixture
def client(superuser: User, log_in: LogIn) -> Client:
    return log_in(superuser)


@pytest.fixture
def rows(
    superuser: User, make_connection: MakeConnection, make_account: MakeAccount, make_profile: Any
) -> None:
    """One row of most models."""
    connection = make_connection(superuser)
    account = make_account(connection, "Garden", metadata={"a": 1}, errors={"DE": [{"errorCode": "TAX"}]})
    make_profile(account, "DE", "1")
    now = timezone.now()
    TokenRefresh.objects.create(
        connection=connection,
        grant_version=1,
        trigger="manual",
        outcome="succeeded",
        token_valid_after=True,
        finished_at=now + timedelta(seconds=1),
    )
    TokenRefresh.objects.create(connection=connection, grant_version=1, trigger="manual")
    SyncRun.objects.create(connection=connection, trigger="manual")
    BatchOperation.objects.create(user=superuser, operation="sync", total=1)
    Heartbeat.objects.create(kind="worker", host="h", pid=1)
    Failure.objects.create(kind="login", subject=str(connection.pk), connection=connection)
    RateLimit.objects.create(region="EU", family="accounts", pace=2, burst=10, slot_at=now, hour=now)
    new_key(superuser)
    DjangoJobExecution.objects.create(
        job=DjangoJob.objects.create(id="a", job_state=b"", next_run_time=now),
        status="Executed",
        run_time=now,
        duration=1,
    )
    request_refresh(SYSTEM, connection)


def test_every_model_is_registered_unless_the_admin_cannot_name_its_key() -> None:
    missing = {
        model
        for app in OURS
        for model in apps.get_app_config(app).get_models()
        if model not in admin.site._registry and not isinstance(model._meta.pk, CompositePrimaryKey)
    }
    assert missing == NOT_SHOWN
    assert {DjangoJob, DjangoJobExecution, ProcrastinateJob, ProcrastinateWorker, ApiKey} <= set(MODELS)


def test_every_model_is_shown_on_the_consoles_theme() -> None:
    assert [model for model in MODELS if not isinstance(admin.site._registry[model], ModelAdmin)] == []


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label_lower)
def test_every_list_and_page_loads_in_few_queries_and_shows_no_secret(
    client: Client, model: type[Model], django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(12):
        pages = [client.get(address(model))]
    row = model._default_manager.first()
    if row is not None:
        pages.append(client.get(address(model, str(row.pk))))
        pages.append(client.get(f"{address(model)}?q=x"))
    for page in pages:
        assert page.status_code == 200
        assert "never-shown" not in page.content.decode()
        assert "gAAAA" not in page.content.decode()


@pytest.mark.parametrize("model", [Account, Connection, TokenRefresh, SyncRun, ProcrastinateJob])
def test_big_lists_never_count_their_table(
    client: Client, model: type[Model], django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(12) as queries:
        client.get(address(model))
    table = model._meta.db_table
    counts = [query["sql"] for query in queries.captured_queries if "COUNT(*)" in query["sql"]]
    # The menu's badge counts connections in one state, by an index.
    assert [sql for sql in counts if f'FROM "{table}"' in sql and "reauthorization_required" not in sql] == []
    assert [query for query in queries.captured_queries if "DISTINCT" in query["sql"]] == []


@pytest.mark.parametrize("model", [TokenRefresh, SyncRun, Account, Connection, BatchOperation])
@pytest.mark.usefixtures("rows")
def test_nobody_can_change_what_the_system_writes(client: Client, model: type[Model]) -> None:
    row = model._default_manager.first()
    assert row is not None
    assert client.get(f"{address(model)}add/").status_code == 403
    assert client.post(address(model, str(row.pk)), {"label": "x"}).status_code == 403
    assert client.post(f"{address(model)}{row.pk}/delete/", {"post": "yes"}).status_code == 403


def test_people_see_only_their_own_rows(
    bob: User, superuser: User, log_in: LogIn, make_connection: MakeConnection, make_account: MakeAccount
) -> None:
    connection = make_connection(superuser, "Secret login")
    account = make_account(connection, "Secret account")
    refresh = TokenRefresh.objects.create(connection=connection, grant_version=1, trigger="manual")
    run = SyncRun.objects.create(connection=connection, trigger="manual")
    client = log_in(bob)
    for row in (connection, account, refresh, run):
        assert "Secret" not in client.get(address(type(row))).content.decode()
        assert client.get(address(type(row), str(row.pk))).status_code == 404
    assert "Secret account" not in client.get(f"{address(Account)}?q=Secret").content.decode()


def test_accounts_are_filtered_by_their_state_and_by_an_announced_suspension(
    client: Client, alice: User, make_connection: MakeConnection, make_account: MakeAccount
) -> None:
    connection = make_connection(alice)
    days = {name: timezone.now() + timedelta(days=number) for name, number in (("A", 6), ("B", 20))}
    for name, moment in days.items():
        make_account(connection, name, standing="at_risk", suspension_at=moment)
    make_account(connection, "C", status="suspended", standing="suspended", suspended_in=["UK"])
    make_account(connection, "D")

    def names(query: str) -> list[str]:
        response = client.get(f"/admin/accounts/account/?{query}")
        return [account.name for account in response.context["cl"].result_list]

    assert names("health_reason=suspended&health_reason=none") == ["C", "D"]
    assert names("health_reason=bogus") == ["A", "B", "C", "D"]
    assert names("suspension_within=7") == ["A"]
    assert names("suspension_within=30") == ["A", "B"]
    assert names("suspension_within=x") == ["A", "B", "C", "D"]
    page = client.get("/admin/accounts/account/").content.decode()
    for word in ("Suspended in UK", "At risk stops in 5 days", "OK"):
        assert word in page


def test_an_accounts_page_shows_logins_managers_and_agency(
    client: Client,
    superuser: User,
    make_connection: MakeConnection,
    make_account: MakeAccount,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    connection = make_connection(superuser, "The login")
    agency = make_account(connection, "The agency", account_type="agency")
    account = make_account(connection, "Garden", parent=agency)
    for number in range(30):
        AccountManager.objects.create(
            manager=make_account(connection, f"Manager {number:02}"), account=account
        )
    with django_assert_max_num_queries(20):
        page = client.get(address(Account, str(account.pk))).content.decode()
    for text in ("The login", "The agency", "Manager 00"):
        assert text in page


def act(client: Client, action: str, *rows: Model, **fields: str) -> Any:
    selected = {"action": action, "_selected_action": [str(row.pk) for row in rows], **fields}
    return client.post(address(type(rows[0])), selected)


@pytest.mark.parametrize("action", ["sync", "disconnect", "reconnect"])
def test_an_action_starts_the_batch_operation_and_leads_to_it(
    alice: User, log_in: LogIn, make_connection: MakeConnection, make_account: MakeAccount, action: str
) -> None:
    accounts = [make_account(make_connection(alice), name) for name in "AB"]
    response = act(log_in(alice), action, *accounts, apply="1")
    batch = BatchOperation.objects.get()
    assert (batch.operation, batch.total, batch.user) == (action, 2, alice)
    assert response["Location"] == f"/operations/{batch.pk}/"


@pytest.mark.parametrize("model", [Account, Connection])
@pytest.mark.parametrize("wrong", ["nonsense", "1", ""])
def test_an_action_on_an_impossible_id_does_nothing(
    client: Client, rows: None, model: type[Model], wrong: str
) -> None:
    known = SyncRun.objects.count()
    selected = [str(model._default_manager.get().pk), wrong]
    for fields in ({}, {"select_across": "1"}):
        response = client.post(address(model), {"action": "sync", "_selected_action": selected, **fields})
        assert response.status_code == 404
    assert BatchOperation.objects.count() == 1
    assert SyncRun.objects.count() == known


def test_disconnect_asks_first(
    alice: User, log_in: LogIn, make_connection: MakeConnection, make_account: MakeAccount
) -> None:
    page = act(log_in(alice), "disconnect", make_account(make_connection(alice), "A")).content.decode()
    assert "Disconnect 1 account?" in page
    assert not BatchOperation.objects.exists()


def test_update_labels_asks_for_them_and_says_what_is_wrong(
    alice: User, log_in: LogIn, make_connection: MakeConnection, make_account: MakeAccount
) -> None:
    client, account = log_in(alice), make_account(make_connection(alice), "A")
    assert "Set labels" in act(client, "update_labels", account).content.decode()
    wrong = act(client, "update_labels", account, apply="1", set_labels="no colon").content.decode()
    assert "is not of the form" in wrong
    assert not BatchOperation.objects.exists()
    act(
        client, "update_labels", account, apply="1", set_labels="team: north", remove_labels="old", sync="off"
    )
    assert BatchOperation.objects.get().options == {
        "labels": {"team": "north", "old": None},
        "sync_enabled": False,
    }


def test_actions_need_their_permission(
    log_in: LogIn, make_connection: MakeConnection, make_account: MakeAccount
) -> None:
    vera = staff("vera", "Viewer")
    account = make_account(make_connection(vera), "A")
    for action in ("sync", "disconnect", "reconnect", "update_labels"):
        act(log_in(vera), action, account, apply="1", set_labels="a: b")
    assert not BatchOperation.objects.exists()


@pytest.mark.parametrize("action", ["sync", "refresh", "pause", "resume"])
def test_an_action_on_connections_starts_an_operation(
    alice: User, log_in: LogIn, make_connection: MakeConnection, action: str
) -> None:
    connections = [make_connection(alice, "one"), make_connection(alice, "two")]
    act(log_in(alice), action, *connections)
    batch = BatchOperation.objects.get()
    assert (batch.subject, batch.operation, batch.total, batch.user) == ("connections", action, 2, alice)


def test_actions_on_connections_ask_for_what_they_need(
    superuser: User, client: Client, make_connection: MakeConnection, settings: LazySettings
) -> None:
    settings.EMAIL_IS_SET_UP = True
    connection = make_connection(superuser, "one")
    team = Team.objects.create(name="North")
    asked = {
        "disconnect": ({}, "Their tokens are erased"),
        "move": ({"team": str(team.pk)}, "Their accounts, labels and history go along."),
        "update_labels": ({"set_labels": "client: acme"}, "Set labels"),
        "send_renewal_links": ({}, "Send renewal links for 1 connection?"),
    }
    for action, (fields, words) in asked.items():
        page = act(client, action, connection).content.decode()
        assert "1 connection" in page
        assert words in page
        assert not BatchOperation.objects.exists()
        act(client, action, connection, apply="1", **fields)
        assert BatchOperation.objects.get().subject == "connections"
        BatchOperation.objects.all().delete()
    assert "Choose the team." in act(client, "move", connection, apply="1").content.decode()


def test_connections_are_searched_and_filtered_as_in_the_api(
    superuser: User, client: Client, make_connection: MakeConnection
) -> None:
    make_connection(superuser, "one", amazon_user_email="ads@garden.example", paused=True)
    make_connection(superuser, "two", consented_at=None)
    for query, label in (("q=GARDEN", "one"), ("paused__exact=1", "one"), ("consent=unknown&q=two", "two")):
        found = client.get(f"{address(Connection)}?{query}").context["cl"].queryset
        assert [row.label for row in found] == [label]


def test_an_empty_list_offers_only_what_can_be_done(client: Client) -> None:
    page = client.get(address(SyncRun)).content.decode()
    assert "Nothing here yet." in page
    assert "Clear search" not in page
    assert "Nothing matches." in client.get(f"{address(SyncRun)}?state__exact=failed").content.decode()
    assert "Nothing matches." in client.get(f"{address(Connection)}?q=x").content.decode()


def test_a_list_has_one_name_in_the_menu_and_on_its_page(client: Client) -> None:
    page = client.get(address(SyncRun)).content.decode()
    assert page.count(">Sync runs<") == 2
    assert ">Syncs<" not in page


@pytest.mark.parametrize("door", ["page", "action"])
def test_an_api_key_can_be_revoked_but_not_made_here(client: Client, superuser: User, door: str) -> None:
    text = new_key(superuser)
    key = ApiKey.objects.get()
    assert client.get("/admin/tokens/apikey/add/").status_code == 403
    for page in (address(ApiKey), address(ApiKey, str(key.pk)), f"/admin/tokens/apikey/{key.pk}/delete/"):
        html = client.get(page).content.decode()
        assert key.beginning in html
        assert text not in html
        assert key.digest not in html
    if door == "page":
        client.post(f"/admin/tokens/apikey/{key.pk}/delete/", {"post": "yes"})
    else:
        marked = {"action": "delete_selected", "_selected_action": key.pk, "post": "yes"}
        client.post("/admin/tokens/apikey/", marked)
    assert LogEntry.objects.get().object_repr == f"{key.beginning}… of root"
    assert not ApiKey.objects.exists()


@pytest.mark.usefixtures("rows")
def test_refreshes_come_with_their_outcomes_per_hour_and_filters(client: Client) -> None:
    page = client.get("/admin/tokens/tokenrefresh/").content.decode()
    assert "Outcomes per hour" in page
    assert "None of 1 failed." in page
    assert "Success rate over 24h: 100 %. Success rate over 30d: 100 %." in page
    assert "c-fill-good" in page
    found = client.get("/admin/tokens/tokenrefresh/?outcome__exact=transient")
    assert list(found.context["cl"].result_list) == []


def test_a_rate_limit_shows_the_hour_of_its_counts(client: Client) -> None:
    hour = timezone.now().replace(year=2025, month=3, day=9, hour=14, minute=0, second=0, microsecond=0)
    RateLimit.objects.create(
        region="EU", family="accounts", pace=2, burst=10, slot_at=hour, hour=hour, requests=701, throttled=3
    )
    shown = squeeze(client.get(address(RateLimit)).content.decode())
    assert "9 Mar 2025, 14:00 UTC" in shown
    assert shown.index("9 Mar 2025, 14:00 UTC") < shown.index(">701<")
