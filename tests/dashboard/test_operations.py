"""Batch operations from the pages: asked for, confirmed, watched, cancelled, tried again."""

import csv
import io
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.http import QueryDict
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.batch import start_batch
from accounts.batch.operations import Operation
from accounts.batch.rows import ACCOUNTS
from accounts.batch.work import run_chunk
from accounts.lists.csv_text import FORMULA_STARTS
from accounts.models import Account, AccountAccess, BatchItem, BatchOperation, SyncRun
from accounts.sync.run import queue_run
from dashboard.views.operations.list_page import PAGE_SIZE
from dashboard.views.operations.results import list_results, stream_csv
from dashboard.views.operations.start import describe_request
from tests.dashboard.conftest import LogIn, MakeAccount, MakeConnection, staff
from tokens.models import Connection

HTMX = {"HX-Request": "true"}


@pytest.fixture
def client(alice: User, log_in: LogIn) -> Client:
    return log_in(alice)


@pytest.fixture
def accounts(alice: User, make_connection: MakeConnection, make_account: MakeAccount) -> list[Account]:
    connections = [make_connection(alice, label) for label in "XY"]
    return [make_account(connections[number % 2], f"Account {number}") for number in range(4)]


@pytest.fixture
def ended(alice: User, accounts: list[Account]) -> BatchOperation:
    """An update that has ended; one of its items failed."""
    batch = start_batch(
        alice,
        "update",
        account_ids=[account.pk for account in accounts],
        options={"labels": {"team": "north"}},
    )
    while run_chunk(batch.pk):
        pass
    BatchItem.objects.filter(batch=batch, account=accounts[0]).update(
        state="failed", message="It <b>broke</b>."
    )
    BatchOperation.objects.filter(pk=batch.pk).update(state="partial", failed=1, succeeded=3)
    batch.refresh_from_db()
    return batch


def ids(accounts: list[Account]) -> str:
    return ",".join(str(account.pk) for account in accounts)


def test_it_asks_first_with_a_count_of_its_own(client: Client, accounts: list[Account]) -> None:
    form = {"operation": "sync", "account_ids": ids(accounts[:3])}
    dialog = client.post("/operations/", form, headers=HTMX).content.decode()
    assert "<html" not in dialog
    assert "Sync 3 accounts?" in dialog
    assert "2 connections, so 2 syncs" in dialog
    assert "<html" in client.post("/operations/", form).content.decode()
    assert not BatchOperation.objects.exists()


def test_confirmed_it_starts_once_and_leads_to_the_operation(client: Client, accounts: list[Account]) -> None:
    form = {"operation": "disconnect", "account_ids": ids(accounts), "confirm": "1", "key": "one-press"}
    for _ in range(2):
        response = client.post("/operations/", form)
        batch = BatchOperation.objects.get()
        assert response["Location"] == f"/operations/{batch.pk}/"
    assert (batch.operation, batch.total) == ("disconnect", 4)
    assert client.post("/operations/", {**form, "key": "two"}, headers=HTMX)["HX-Redirect"].startswith(
        "/operations/"
    )


def test_boxes_and_remembered_ids_count_each_account_once(client: Client, accounts: list[Account]) -> None:
    form = {"operation": "sync", "account_ids": [ids(accounts[:2]), str(accounts[1].pk), "nonsense", ""]}
    assert "Sync 2 accounts?" in client.post("/operations/", form).content.decode()


def test_all_that_match_is_counted_and_filtered_again_on_the_server(
    client: Client, alice: User, accounts: list[Account], make_account: MakeAccount
) -> None:
    make_account(Connection.objects.first() or accounts[0].connection, "Vendor", account_type="vendor")
    form = {"operation": "sync", "all": "1", "query": "account_type=seller&status=active", "account_ids": ""}
    assert "Sync 4 accounts?" in client.post("/operations/", form).content.decode()
    client.post("/operations/", {**form, "confirm": "1"})
    batch = BatchOperation.objects.get()
    assert (batch.total, batch.filter) == (4, {"account_type": ["seller"], "status": ["active"]})


@pytest.mark.parametrize("confirm", [{}, {"confirm": "1"}])
@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("status=bogus", "status: “bogus” is not one of: active"),
        ("status=active&labels=team", "The label “team” needs a name and a value"),
        (f"search={'x' * 201}", "at most 200 characters"),
        ("statuss=active", "statuss: There is no such parameter."),
    ],
)
def test_a_query_that_cannot_be_used_in_full_is_refused(
    client: Client, accounts: list[Account], query: str, reason: str, confirm: dict[str, str]
) -> None:
    shown = client.get(f"/accounts/?{query}").context["state"].filter_query
    form = {"operation": "disconnect", "all": "1", **confirm}
    for asked in {query, shown} - {""}:
        page = client.post("/operations/", {**form, "query": asked}).content.decode()
        assert reason in page
        assert "Disconnect 4 accounts" not in page
    assert not BatchOperation.objects.exists()


@pytest.mark.parametrize("confirm", [{}, {"confirm": "1"}])
@pytest.mark.parametrize("headers", [{}, HTMX])
def test_nothing_selected_is_said_and_nothing_stored(
    client: Client, accounts: list[Account], headers: dict[str, str], confirm: dict[str, str]
) -> None:
    page = client.post("/operations/", {"operation": "sync", **confirm}, headers=headers).content.decode()
    assert "Select accounts first." in page
    assert "Sync 0" not in page
    assert not BatchOperation.objects.exists()


def test_labels_are_asked_for_and_mistakes_stay_in_the_dialog(
    client: Client, accounts: list[Account]
) -> None:
    form = {"operation": "update", "account_ids": ids(accounts)}
    assert 'name="set_labels"' in client.post("/operations/", form, headers=HTMX).content.decode()
    for wrong in (
        {},
        {"set_labels": "no colon"},
        {"set_labels": f"k: {'x' * 300}"},
        {"set_labels": "team: north\nteam: south"},
        {"set_labels": "team: north", "remove_labels": "team"},
        {"sync": "maybe"},
    ):
        page = client.post("/operations/", {**form, "confirm": "1", **wrong}, headers=HTMX).content.decode()
        assert 'role="alert"' in page, wrong
    assert not BatchOperation.objects.exists()
    client.post(
        "/operations/",
        {
            **form,
            "confirm": "1",
            "set_labels": "team: north\r\nbudget: a: b",
            "remove_labels": "old\r\n\r\na,b",
        },
    )
    assert BatchOperation.objects.get().options == {
        "labels": {"team": "north", "budget": "a: b", "old": None, "a,b": None}
    }


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"set_labels": "no colon"}, "set_labels"), ({"sync": "maybe"}, "sync"), ({}, "set_labels")],
)
def test_the_cursor_starts_in_the_field_at_fault(
    client: Client, accounts: list[Account], wrong: dict[str, str], field: str
) -> None:
    form = {"operation": "update", "account_ids": ids(accounts)}
    asked = client.post("/operations/", form, headers=HTMX).content.decode()
    assert re.findall(r"<(\w+)[^>]* autofocus", asked) == ["textarea"]
    page = client.post("/operations/", {**form, "confirm": "1", **wrong}, headers=HTMX).content.decode()
    assert re.findall(r'name="(\w+)"[^>]* autofocus', page) == [field]
    assert page.count(" autofocus") == 1


@pytest.mark.parametrize("operation", ["sync", "disconnect", "reconnect", "update"])
def test_each_operation_needs_its_permission(
    log_in: LogIn, make_connection: MakeConnection, make_account: MakeAccount, operation: str
) -> None:
    vera = staff("vera", "Viewer")
    account = make_account(make_connection(vera), "A")
    client = log_in(vera)
    form = {"operation": operation, "account_ids": str(account.pk), "confirm": "1", "set_labels": "a: b"}
    assert client.post("/operations/", form).status_code == 403
    assert f'value="{operation}"' not in client.get("/accounts/").content.decode()
    assert not BatchOperation.objects.exists()


def test_other_peoples_accounts_are_not_touched(
    client: Client, bob: User, make_connection: MakeConnection, make_account: MakeAccount
) -> None:
    theirs = make_account(make_connection(bob), "Bob's")
    form = {"operation": "disconnect", "account_ids": str(theirs.pk)}
    for confirm in ({}, {"confirm": "1"}):
        page = client.post("/operations/", {**form, **confirm}).content.decode()
        assert "None of these accounts is there any more." in page
    assert not BatchOperation.objects.exists()


@pytest.mark.parametrize("headers", [{}, HTMX])
@pytest.mark.parametrize("form", [{}, {"operation": "delete"}])
def test_an_unknown_operation_is_refused(
    client: Client, form: dict[str, str], headers: dict[str, str]
) -> None:
    response = client.post("/operations/", form, headers=headers)
    assert response.status_code == 422
    assert "Choose what to do with the accounts." in response.content.decode()


def test_too_many_cannot_be_confirmed(accounts: list[Account], rf: RequestFactory) -> None:
    context = describe_request(ACCOUNTS, Operation.SYNC, Account.objects.all(), errors=[], max_items=2)
    page = render_to_string("dashboard/operations/confirm.html", context, rf.get("/"))
    assert "more than 2 accounts" in page
    assert 'c-button--main">Sync' not in page


def test_progress_polls_while_it_runs_and_stops_at_the_end(
    client: Client, alice: User, accounts: list[Account]
) -> None:
    batch = start_batch(alice, "disconnect", account_ids=[account.pk for account in accounts])
    head = {**HTMX, "HX-Target": "head"}
    page = client.get(f"/operations/{batch.pk}/", headers=head).content.decode()
    assert 'hx-trigger="every 1s"' in page
    assert "0 of 4 done" in page
    assert "Cancel" in page
    while run_chunk(batch.pk):
        pass
    page = client.get(f"/operations/{batch.pk}/", headers=head).content.decode()
    assert "hx-trigger" not in page
    assert "4 of 4 done" in page
    results = client.get(f"/operations/{batch.pk}/", headers={**HTMX, "HX-Target": "list"}).content.decode()
    assert "hx-trigger" not in results
    assert results.count("Disconnected.") == 4


def test_done_is_what_succeeded_on_the_page_and_in_the_list(client: Client, ended: BatchOperation) -> None:
    BatchOperation.objects.filter(pk=ended.pk).update(succeeded=1, failed=2, skipped=1)
    page = client.get(f"/operations/{ended.pk}/").content.decode()
    assert "1 of 4 done · 2 failed · 1 skipped" in page
    assert '<progress class="c-bar" max="4" value="4"' in page
    assert "1 of 4 done · 2 failed · 1 skipped" in client.get("/operations/").content.decode()


def test_it_says_until_when_amazon_is_waited_for(
    client: Client, alice: User, accounts: list[Account]
) -> None:
    batch = start_batch(alice, "sync", account_ids=[account.pk for account in accounts])
    run_chunk(batch.pk)
    assert "Waiting for Amazon" not in client.get(f"/operations/{batch.pk}/").content.decode()
    until = timezone.now() + timedelta(minutes=5)
    walk = {"source": "profiles", "region": "EU", "outcome": "failed", "errors": [{"kind": "postponed"}]}
    run = SyncRun.objects.get(connection=accounts[0].connection)
    SyncRun.objects.filter(pk=run.pk).update(
        postponed=1,
        postponed_at=until - timedelta(minutes=7),
        sources=[walk, {**walk, "region": "NA", "errors": []}],
        error="Amazon <is> down.",
    )
    queue_run(run.pk, at=until)
    page = " ".join(client.get(f"/operations/{batch.pk}/").content.decode().split())
    since = (until - timedelta(minutes=7)).isoformat(timespec="seconds")
    # The head and two of four accounts.
    assert page.count(f'Waiting for Amazon (Europe) since <time datetime="{since}"') == 3
    assert page.count(f', until <time datetime="{until.isoformat(timespec="seconds")}"') == 3
    assert "Amazon &lt;is&gt; down." in page
    assert "Then 1 sync continues." in page


def test_only_what_goes_on_steadily_says_how_long_it_takes(
    client: Client, alice: User, accounts: list[Account]
) -> None:
    for operation, is_said in (("sync", False), ("disconnect", True)):
        batch = start_batch(alice, operation, account_ids=[account.pk for account in accounts])
        BatchOperation.objects.filter(pk=batch.pk).update(
            state="running", started_at=timezone.now() - timedelta(minutes=2, seconds=10)
        )
        BatchItem.objects.filter(batch=batch, account=accounts[0]).update(state="failed")
        page = client.get(f"/operations/{batch.pk}/").content.decode()
        assert ("about 6 min left" in page) is is_said


def test_a_sync_tells_how_many_calls_are_left(client: Client, alice: User, accounts: list[Account]) -> None:
    now = timezone.now()
    for connection in {account.connection for account in accounts}:
        SyncRun.objects.create(
            connection=connection, trigger="scheduled", state="succeeded", requests=20,
            created_at=now - timedelta(hours=1), started_at=now, finished_at=now,
        )  # fmt: skip
    batch = start_batch(alice, "sync", account_ids=[account.pk for account in accounts])
    run_chunk(batch.pk)
    first = SyncRun.objects.filter(state="waiting").order_by("pk").first()
    assert first is not None
    SyncRun.objects.filter(pk=first.pk).update(state="running", started_at=now, requests=10)
    BatchOperation.objects.filter(pk=batch.pk).update(started_at=now - timedelta(minutes=1))
    page = client.get(f"/operations/{batch.pk}/").content.decode()
    assert "0 of 4 done · 10 calls to Amazon made, about 30 left · about 3 min left" in page
    assert '<progress class="c-bar" max="40" value="10"' in page
    SyncRun.objects.filter(state="succeeded", connection=first.connection).delete()
    page = client.get(f"/operations/{batch.pk}/").content.decode()
    assert "10 calls to Amazon made, at least 21 left" in page
    assert " min left" not in page


def test_results_are_filtered_and_shown_harmlessly(client: Client, ended: BatchOperation) -> None:
    page = client.get(f"/operations/{ended.pk}/?result=failed").content.decode()
    assert "It &lt;b&gt;broke&lt;/b&gt;." in page
    assert "Updated." not in page
    assert 'aria-label="Why it failed"' in page
    assert "Try again" in page
    assert client.get(f"/operations/{ended.pk}/?result=odd&after=odd").status_code == 200


def test_results_are_paged_by_key(alice: User, ended: BatchOperation) -> None:
    first = list_results(alice, QueryDict(), ended, {}, page_size=3)
    second = list_results(alice, QueryDict(first["next"].removeprefix("?")), ended, {}, page_size=3)
    shown = [row.item.account_id for page in (first, second) for row in page["items"]]
    assert (len(shown), len(set(shown)), second["next"]) == (4, 4, "")


def test_cancel_skips_what_waits(client: Client, alice: User, accounts: list[Account]) -> None:
    batch = start_batch(alice, "disconnect", account_ids=[account.pk for account in accounts])
    client.post(f"/operations/{batch.pk}/cancel/")
    batch.refresh_from_db()
    assert (batch.state, batch.skipped) == ("cancelled", 4)
    again = client.post(f"/operations/{batch.pk}/cancel/", follow=True).content.decode()
    assert "nothing waits any more" in again


def test_retry_does_again_what_failed(client: Client, ended: BatchOperation) -> None:
    client.post(f"/operations/{ended.pk}/retry/")
    while run_chunk(ended.pk):
        pass
    ended.refresh_from_db()
    assert (ended.state, ended.succeeded) == ("succeeded", 4)
    assert (
        "No item of the operation has failed"
        in client.post(f"/operations/{ended.pk}/retry/", follow=True).content.decode()
    )


@pytest.mark.parametrize("sign", [*FORMULA_STARTS, " =", "  @"])
def test_formulas_in_the_csv_are_text(
    client: Client, ended: BatchOperation, accounts: list[Account], sign: str
) -> None:
    hostile = f'{sign}HYPERLINK("http://x")'
    Account.objects.filter(pk=accounts[1].pk).update(name=hostile)
    response = client.get(f"/operations/{ended.pk}/results.csv")
    rows = csv.DictReader(io.StringIO(response.getvalue().decode(), newline=""))
    assert f"'{hostile}" in {row["name"] for row in rows}


def test_the_csv_holds_every_result(client: Client, ended: BatchOperation) -> None:
    response = client.get(f"/operations/{ended.pk}/results.csv")
    rows = list(csv.DictReader(io.StringIO(response.getvalue().decode())))
    assert {row["result"] for row in rows} == {"failed", "succeeded"}
    only = client.get(f"/operations/{ended.pk}/results.csv?result=failed")
    assert len(only.getvalue().splitlines()) == 2


def test_the_button_downloads_what_excel_shows_as_it_is(
    client: Client, ended: BatchOperation, accounts: list[Account]
) -> None:
    Account.objects.filter(pk=accounts[1].pk).update(name="Käse", amazon_account_id="123456789012345678")
    page = client.get(f"/operations/{ended.pk}/").content.decode()
    (address,) = re.findall(r'href="(/operations/[^"]*/results\.csv[^"]*)"', page)
    assert address == f"/operations/{ended.pk}/results.csv?for=excel"
    content = client.get(address).getvalue()
    assert content.startswith("\ufeffaccount_id,".encode())
    (row,) = (row for row in csv.reader(io.StringIO(content.decode())) if "Käse" in row)
    assert row[1] == '="123456789012345678"'


def test_the_csv_is_read_in_chunks(ended: BatchOperation) -> None:
    items = ended.items.select_related("account").order_by("account_id")
    whole = "".join(stream_csv(ended, items))
    assert len(whole.splitlines()) > 2
    assert "".join(stream_csv(ended, items, chunk_size=1)) == whole


@pytest.mark.parametrize("deed", ["", "cancel/", "retry/", "undo/", "toast/", "results.csv"])
def test_other_peoples_operations_are_not_there(
    bob: User, log_in: LogIn, ended: BatchOperation, deed: str
) -> None:
    client = log_in(bob)
    ask: Callable[[str], object] = client.post if deed in {"cancel/", "retry/", "undo/"} else client.get
    assert getattr(ask(f"/operations/{ended.pk}/{deed}"), "status_code", None) == 404
    assert client.get("/operations/").context["batches"] == []


@pytest.mark.parametrize("deed", ["cancel/", "retry/", "undo/"])
def test_a_viewer_may_look_but_not_touch(log_in: LogIn, ended: BatchOperation, deed: str) -> None:
    onlooker = staff("vera", "Viewer")
    BatchOperation.objects.update(user=onlooker)
    client = log_in(onlooker)
    assert client.get(f"/operations/{ended.pk}/").status_code == 200
    assert client.post(f"/operations/{ended.pk}/{deed}").status_code == 403


def test_the_list_filters_by_state_and_kind(
    client: Client, alice: User, ended: BatchOperation, accounts: list[Account]
) -> None:
    start_batch(alice, "disconnect", account_ids=[accounts[0].pk])
    assert len(client.get("/operations/").context["batches"]) == 2
    assert len(client.get("/operations/?state=partial&kind=update").context["batches"]) == 1
    assert len(client.get("/operations/?state=odd&kind=odd&after=odd").context["batches"]) == 2
    assert "No operation matches" in client.get("/operations/?state=failed").content.decode()


def test_the_first_page_has_none_before_it(client: Client, ended: BatchOperation) -> None:
    assert 'id="previous"' not in client.get("/operations/").content.decode()


def test_a_page_past_the_end_leads_to_the_first(client: Client, alice: User, accounts: list[Account]) -> None:
    for _ in range(PAGE_SIZE + 1):
        start_batch(alice, "disconnect", account_ids=[accounts[0].pk])
    second = client.get("/operations/?kind=disconnect").context["next"]
    BatchOperation.objects.order_by("created_at").first().delete()  # type: ignore[union-attr]
    page = client.get(f"/operations/{second}").content.decode()
    assert "This page is past the end of the list." in page
    assert 'href="?kind=disconnect"' in page


def test_the_list_brings_news_while_something_runs(
    client: Client, alice: User, accounts: list[Account]
) -> None:
    batch = start_batch(alice, "disconnect", account_ids=[accounts[0].pk])
    assert "every 3s" in client.get("/operations/").content.decode()
    while run_chunk(batch.pk):
        pass
    assert "every 3s" not in client.get("/operations/").content.decode()


def test_a_page_costs_at_most_twelve_queries(
    client: Client, ended: BatchOperation, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for address in (f"/operations/{ended.pk}/", "/operations/"):
        with django_assert_max_num_queries(12):
            client.get(address)


def test_a_page_of_many_operations_costs_at_most_twelve_queries(
    client: Client,
    alice: User,
    ended: BatchOperation,
    accounts: list[Account],
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    names = ("user", "operation", "state", "total", "succeeded", "failed", "created_at", "finished_at")
    kept = {name: getattr(ended, name) for name in names}
    BatchOperation.objects.bulk_create(BatchOperation(**kept) for _ in range(11))
    for number in range(13):
        batch = start_batch(alice, "disconnect", account_ids=[account.pk for account in accounts])
        BatchOperation.objects.filter(pk=batch.pk).update(state="running", started_at=timezone.now())
        BatchItem.objects.filter(batch=batch, account__in=accounts[: number % 3]).update(state="succeeded")
    with django_assert_max_num_queries(12):
        shown = client.get("/operations/").context["batches"]
    assert len(shown) == 25
    assert {row.sentence for row in shown if row.batch.is_finished} == {"3 of 4 done · 1 failed"}
    assert [row.sentence for row in shown if not row.batch.is_finished] == [
        f"{number % 3} of 4 done" for number in reversed(range(13))
    ]


def test_the_dialog_names_what_is_disconnected_and_what_stays(
    client: Client,
    administrator: User,
    alice: User,
    log_in: LogIn,
    make_connection: MakeConnection,
    make_account: MakeAccount,
) -> None:
    connections = [make_connection(alice, label) for label in ("Alder", "Birch", "Cedar", "Dovetail", "Elm")]
    kept = make_account(connections[0], "Kept")
    AccountAccess.objects.create(account=kept, connection=connections[4])
    for connection in connections[:4]:
        make_account(connection, "Lost")
    make_account(connections[0], "Gone", status="inactive")
    form = {
        "operation": "disconnect",
        "on": "connections",
        "connection_ids": [str(connection.pk) for connection in connections[:4]],
    }
    page = " ".join(log_in(administrator).post("/operations/", form).content.decode().split())
    assert "<bdi>Alder, Birch, Cedar and 1 more</bdi>" in page
    assert "4 accounts become inactive. 1 account stays, because another login sees it." in page
    form = {"operation": "disconnect", "account_ids": [str(kept.pk)]}
    assert "<bdi>Kept</bdi>" in client.post("/operations/", form).content.decode()
    page = log_in(administrator).get(f"/connections/{connections[1].pk}/disconnect/").content.decode()
    assert "1 account becomes inactive." in " ".join(page.split())
