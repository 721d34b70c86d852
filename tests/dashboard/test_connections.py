"""The page of the connections and the operations on a connection."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob
from pytest_django import DjangoAssertNumQueries

from accounts.models import AccountAccess, SyncRun
from dashboard.lists.account_counts import count_accounts
from dashboard.lists.display import DEFAULT_PAGE_SIZE as PAGE_SIZE
from tests.dashboard.conftest import LogIn, MakeAccount, MakeConnection, squeeze, staff
from tests.teams import join, team_of
from tokens.models import Connection, TokenRefresh
from tokens.people.roles import Role


@pytest.fixture
def client(alice: User, log_in: LogIn) -> Client:
    return log_in(alice)


def test_it_shows_the_tokens_life_and_never_the_token(
    client: Client, alice: User, make_connection: MakeConnection, make_account: MakeAccount
) -> None:
    connection = make_connection(alice, amazon_user_email="login@example.com")
    make_account(connection, "A")
    for address in ("/connections/", f"/connections/{connection.pk}/"):
        page = client.get(address).content.decode()
        assert "login@example.com" in page
        assert "never-shown" not in page
    assert "Token valid for 49 min" in page
    assert "1 account<" in page


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("", {"a", "b", "c"}),
        ("attention", {"b"}),
        ("active", {"a"}),
        ("disconnected", {"c"}),
        ("nonsense", {"a", "b", "c"}),
    ],
)
def test_it_filters_by_state(
    client: Client, alice: User, make_connection: MakeConnection, state: str, expected: set[str]
) -> None:
    make_connection(alice, "a")
    make_connection(alice, "b", state="reauthorization_required")
    make_connection(alice, "c", state="disconnected")
    found = client.get(f"/connections/?state={state}").context["connections"]
    assert {connection.label for connection, _ in found} == expected


def test_it_does_not_show_other_peoples_connections(
    client: Client, bob: User, make_connection: MakeConnection, administrator: User, log_in: LogIn
) -> None:
    connection = make_connection(bob, "Bob's")
    assert client.get("/connections/").context["connections"] == []
    for deed in ("", "sync/", "refresh/", "disconnect/"):
        address = f"/connections/{connection.pk}/{deed}"
        assert (
            client.post(address) if deed in {"sync/", "refresh/"} else client.get(address)
        ).status_code in {403, 404}
    assert log_in(administrator).get(f"/connections/{connection.pk}/").status_code == 200


def test_it_pages(client: Client, alice: User, make_connection: MakeConnection) -> None:
    for number in range(PAGE_SIZE + 1):
        make_connection(alice, f"{number:03}")
    first = client.get("/connections/")
    second = client.get(first.context["next"])
    assert [connection.label for connection, _ in second.context["connections"]] == [f"{PAGE_SIZE:03}"]
    assert client.get("/connections/?after=tampered").status_code == 200


def test_the_first_page_has_none_before_it(
    client: Client, alice: User, make_connection: MakeConnection
) -> None:
    make_connection(alice)
    assert 'id="previous"' not in client.get("/connections/").content.decode()


def test_a_page_past_the_end_leads_to_the_first(
    client: Client, alice: User, make_connection: MakeConnection
) -> None:
    for number in range(PAGE_SIZE):
        make_connection(alice, f"A{number:03}")
    last = make_connection(alice, "B")
    second = client.get("/connections/?state=active").context["next"]
    Connection.objects.filter(pk=last.pk).update(label="A")
    page = client.get(second).content.decode()
    assert "This page is past the end of the list." in page
    assert 'href="/connections/?state=active"' in page


def test_it_shows_the_history_of_refreshes_and_syncs(
    client: Client, alice: User, make_connection: MakeConnection
) -> None:
    connection = make_connection(alice)
    now = timezone.now()
    TokenRefresh.objects.create(
        connection=connection,
        grant_version=1,
        trigger="scheduled",
        started_at=now - timedelta(seconds=9),
        finished_at=now,
        outcome="transient",
        error="Amazon answered 503.",
        request_id="REQ-1",
    )
    SyncRun.objects.create(
        connection=connection,
        trigger="manual",
        requested_by=alice,
        state="partial",
        started_at=now,
        seen=1_284,
        error="Europe did not answer.",
    )
    page = client.get(f"/connections/{connection.pk}/").content.decode()
    for text in (
        "Amazon answered 503.",
        "REQ-1",
        "9.0 s",
        "1,284",
        "Europe did not answer.",
        "Manual by alice",
    ):
        assert text in page


def test_the_list_costs_at_most_twelve_queries(
    client: Client,
    alice: User,
    make_connection: MakeConnection,
    make_account: MakeAccount,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(30):
        make_account(make_connection(alice, f"Shop {number}", state=list(Connection.State)[number % 3]))
    for ordering in ("label", "consent_ends_at"):
        client.get(f"/connections/?ordering={ordering}")
        with django_assert_max_num_queries(12):
            client.get(f"/connections/?ordering={ordering}")


class TestTabs:
    @pytest.fixture(autouse=True)
    def house(self, alice: User, make_connection: MakeConnection) -> None:
        make_connection(alice, "good", regions=["EU"])
        make_connection(alice, "refused", state="reauthorization_required")
        make_connection(alice, "gone", state="disconnected")

    def test_each_counts_what_it_shows_whatever_else_is_chosen(self, client: Client) -> None:
        for chosen in ("", "?state=disconnected", "?state=active&paused=true"):
            for tab in client.get(f"/connections/{chosen}").context["tabs"]:
                shown = client.get(f"/connections/{tab.address}")
                assert len(shown.context["connections"]) == tab.number
                assert [each.id for each in shown.context["tabs"] if each.current] == [tab.id]

    def test_a_search_and_a_region_stay(self, client: Client) -> None:
        tabs = client.get("/connections/?region=EU&search=good").context["tabs"]
        assert {tab.id: tab.number for tab in tabs if tab.number} == {"tab-all": 1}
        assert all("region=EU" in tab.address and "search=good" in tab.address for tab in tabs)


def test_what_is_chosen_is_named_and_can_be_removed(
    client: Client, alice: User, make_connection: MakeConnection
) -> None:
    make_connection(alice)
    page = client.get("/connections/?state=active&state=disconnected&region=FE&labels=a:b")
    chosen = [(each.title, each.text) for each in page.context["chosen"]]
    assert chosen == [("State", "Connected or Disconnected"), ("Region", "Far East"), ("Label", "a:b")]
    assert page.context["chosen"][0].removed == "?region=FE&labels=a%3Ab"


def test_the_place_of_a_page_is_kept(client: Client, alice: User, make_connection: MakeConnection) -> None:
    for number in range(30):
        make_connection(alice, f"{number:03}")
    first = client.get("/connections/?page_size=25")
    assert (first.context["place_text"], first.context["place_of"]) == ("1–25", "of 30")
    second = client.get(first.context["next"])
    assert second.context["place_text"] == "26–30"
    assert client.get(second.context["here"]).context["place_text"] == "26–30"
    assert client.get(second.context["previous"]).context["place_text"] == "1–25"


def test_a_row_offers_what_the_person_may_do(
    client: Client, alice: User, make_connection: MakeConnection
) -> None:
    good, refused = make_connection(alice, "A"), make_connection(alice, "B", state="reauthorization_required")
    page = squeeze(client.get("/connections/").content.decode())
    assert f'formaction="/connections/{good.pk}/sync/"' in page
    assert f'id="reconnect-{good.pk}">Renew<' in page
    assert f"/connections/{refused.pk}/sync/" not in page
    assert f'id="reconnect-{refused.pk}">Reconnect<' in page


@pytest.mark.parametrize(
    ("referer", "address"),
    [
        ("http://testserver/connections/?paused=true", "/connections/?paused=true"),
        ("https://elsewhere.example/connections/?paused=true", "/connections/"),
    ],
)
def test_sync_comes_back_to_the_page_with_the_button(
    client: Client, alice: User, make_connection: MakeConnection, referer: str, address: str
) -> None:
    connection = make_connection(alice)
    response = client.post(f"/connections/{connection.pk}/sync/", headers={"Referer": referer})
    assert response["Location"] == address


def test_sync_queues_one_run_and_comes_back(
    client: Client, alice: User, make_connection: MakeConnection
) -> None:
    connection = make_connection(alice)
    for _ in range(2):
        response = client.post(f"/connections/{connection.pk}/sync/")
        assert (response.status_code, response["Location"]) == (303, "/connections/")
    run = SyncRun.objects.get(connection=connection)
    assert (run.state, run.trigger, run.requested_by) == ("waiting", "manual", alice)


def test_refresh_queues_one_job(client: Client, alice: User, make_connection: MakeConnection) -> None:
    connection = make_connection(alice)
    for _ in range(2):
        client.post(f"/connections/{connection.pk}/refresh/")
    jobs = ProcrastinateJob.objects.filter(task_name="tokens.refresh_for_person")
    assert [job.args["connection_id"] for job in jobs] == [str(connection.pk)]


@pytest.mark.parametrize("deed", ["sync", "refresh"])
def test_a_dead_connection_is_not_used_at_amazon(
    client: Client, alice: User, make_connection: MakeConnection, deed: str
) -> None:
    connection = make_connection(alice, state="reauthorization_required")
    page = client.post(f"/connections/{connection.pk}/{deed}/", follow=True).content.decode()
    assert "Nothing was done for" in page
    assert "It must be reconnected" in page
    assert not ProcrastinateJob.objects.exists()


@pytest.mark.parametrize("deed", ["sync", "refresh"])
def test_a_link_starts_no_operation(
    client: Client, alice: User, make_connection: MakeConnection, deed: str
) -> None:
    page = f"/connections/{make_connection(alice).pk}/"
    assert client.get(f"{page}{deed}/")["Location"] == page
    assert not ProcrastinateJob.objects.exists()


def test_outside_of_north_america_disconnect_says_in_words_where_the_consent_is_withdrawn(
    administrator: User, log_in: LogIn, make_connection: MakeConnection
) -> None:
    connection = make_connection(administrator, regions=["EU", "FE"])
    page = log_in(administrator).get(f"/connections/{connection.pk}/disconnect/").content.decode()
    assert "on the page “Login with Amazon”" in page
    assert "amazon.com/ap" not in page


def test_disconnect_asks_first_with_the_number_of_accounts(
    administrator: User, log_in: LogIn, make_connection: MakeConnection, make_account: MakeAccount
) -> None:
    connection = make_connection(administrator, "Northwind")
    make_account(connection, "A")
    client = log_in(administrator)
    address = f"/connections/{connection.pk}/disconnect/"
    dialog = client.get(address, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in dialog
    assert "Disconnect Northwind?" in dialog
    assert "1 account " in dialog
    assert '<a href="https://www.amazon.com/ap/adam"' in dialog
    assert "<html" in client.get(address).content.decode()
    connection.refresh_from_db()
    assert connection.state == Connection.State.ACTIVE
    client.post(address)
    connection.refresh_from_db()
    assert (connection.state, connection.access_token, connection.refresh_token) == (
        "disconnected",
        None,
        None,
    )


def test_each_operation_needs_its_permission(log_in: LogIn, make_connection: MakeConnection) -> None:
    vera = staff("vera", "Viewer")
    connection = make_connection(vera)
    client = log_in(vera)
    page = client.get("/connections/").content.decode()
    for deed in ("sync", "refresh", "disconnect"):
        assert client.post(f"/connections/{connection.pk}/{deed}/").status_code == 403
        assert f"/{deed}/" not in page
    assert "Connect Amazon" not in page


def test_an_operation_by_htmx_answers_with_the_next_page(
    client: Client, alice: User, make_connection: MakeConnection
) -> None:
    response = client.post(f"/connections/{make_connection(alice).pk}/sync/", headers={"HX-Request": "true"})
    assert response["HX-Redirect"] == "/connections/"


def test_accounts_are_counted_up_to_a_bound(
    alice: User, make_connection: MakeConnection, make_account: MakeAccount
) -> None:
    one, many = make_connection(alice, "one"), make_connection(alice, "many")
    make_account(one, "A")
    make_account(one, "gone", status="inactive")
    for number in range(4):
        make_account(many, str(number))
    counts = count_accounts([one.pk, many.pk], only_live=True)
    assert str(counts.of(one.pk)) == "1 account"
    assert str(counts.of(one.pk, many.pk)) == "5 accounts"
    assert str(count_accounts([one.pk]).of(one.pk)) == "2 accounts"
    assert str(count_accounts([]).of()) == "0 accounts"
    assert str(count_accounts([many.pk], max_accounts=3).of(many.pk)) == "3+ accounts"
    counts = count_accounts([one.pk, many.pk], max_connections=1)
    assert str(counts.of(one.pk, many.pk)) == "2+ accounts"


def test_a_refresh_under_way_has_no_length_yet(
    client: Client, alice: User, make_connection: MakeConnection
) -> None:
    connection = make_connection(alice)
    TokenRefresh.objects.create(connection=connection, grant_version=1, trigger="manual")
    assert "Under way" in client.get(f"/connections/{connection.pk}/").content.decode()


def facts(page: str) -> str:
    return squeeze(page.partition('<dl class="c-facts">')[2].partition("</dl>")[0])


def test_a_new_connection_announces_its_first_refresh(
    client: Client, alice: User, make_connection: MakeConnection
) -> None:
    connection = make_connection(alice, last_refreshed_at=timezone.now())
    page = client.get(f"/connections/{connection.pk}/").content.decode()
    assert "<dt>Refreshed</dt><dd>Not yet</dd>" in facts(page)
    assert "Consent ends" in facts(page)
    assert "No refresh yet. The first comes before the token ends." in page


def test_a_disconnected_connection_announces_nothing(
    client: Client, alice: User, make_connection: MakeConnection
) -> None:
    connection = make_connection(alice, state="disconnected")
    page = client.get(f"/connections/{connection.pk}/").content.decode()
    assert "Consent ends" not in facts(page)
    assert "No refresh yet." in page
    assert "The first comes" not in page


def test_a_single_refresh_is_described_in_the_singular(
    client: Client, alice: User, make_connection: MakeConnection
) -> None:
    connection = make_connection(alice)
    now = timezone.now()
    TokenRefresh.objects.create(
        connection=connection,
        grant_version=1,
        trigger="manual",
        started_at=now,
        finished_at=now,
        outcome="succeeded",
        request_id="REQ-1",
    )
    page = client.get(f"/connections/{connection.pk}/").content.decode()
    assert "How long the last refresh took" in page
    assert "REQ-1" not in page


def test_label_and_regions_are_changed_on_the_page(
    client: Client, alice: User, make_connection: MakeConnection
) -> None:
    connection = make_connection(alice, regions=["NA", "EU"])
    address = f"/connections/{connection.pk}/update/"
    assert f'href="{address}"' in client.get(f"/connections/{connection.pk}/").content.decode()
    form = squeeze(client.get(address).content.decode())
    assert 'value="Northwind"' in form
    assert form.count(" checked") == 2
    response = client.post(address, {"label": "Südwind", "regions": ["FE"], "owner": "alice"})
    assert (response.status_code, response["Location"]) == (303, f"/connections/{connection.pk}/")
    connection.refresh_from_db()
    assert (connection.label, connection.regions) == ("Südwind", ["FE"])
    assert SyncRun.objects.get().requested_by == alice


def test_a_connection_is_renamed_where_its_label_stands(
    client: Client, alice: User, make_connection: MakeConnection
) -> None:
    connection = make_connection(alice, regions=["EU"])
    address = f"/connections/{connection.pk}/"
    assert 'name="rename" value="Northwind"' in squeeze(client.get(address).content.decode())
    response = client.post(f"{address}update/", {"rename": "Südwind"})
    assert (response.status_code, response["Location"]) == (303, address)
    connection.refresh_from_db()
    assert (connection.label, connection.regions) == ("Südwind", ["EU"])
    for wrong in ("", "a\x07b", "Atza|secret-of-amazon"):
        page = client.post(f"{address}update/", {"rename": wrong}, follow=True).content.decode()
        assert "The label was not changed." in page
    connection.refresh_from_db()
    assert connection.label == "Südwind"


def test_a_viewer_renames_nothing(log_in: LogIn, make_connection: MakeConnection) -> None:
    vera = staff("vera", "Viewer")
    connection = make_connection(vera)
    client = log_in(vera)
    assert 'name="rename"' not in client.get(f"/connections/{connection.pk}/").content.decode()
    assert client.post(f"/connections/{connection.pk}/update/", {"rename": "x"}).status_code == 403
    connection.refresh_from_db()
    assert connection.label == "Northwind"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"label": "Südwind"}, "Choose at least one region."),
        ({"label": "", "regions": ["EU"]}, "This field is required."),
        ({"label": "a\x07b", "regions": ["EU"]}, "no other control characters"),
        ({"label": "a", "regions": ["XX"]}, "is not one of the available choices"),
    ],
)
def test_a_wrong_label_or_region_is_explained_in_the_form(
    client: Client, alice: User, make_connection: MakeConnection, data: dict[str, object], words: str
) -> None:
    connection = make_connection(alice)
    page = client.post(f"/connections/{connection.pk}/update/", {"owner": "alice", **data})
    assert page.status_code == 422
    assert words in page.content.decode()
    connection.refresh_from_db()
    assert (connection.label, connection.regions) == ("Northwind", ["NA", "EU", "FE"])


def test_another_person_is_made_responsible_in_the_form(
    client: Client, alice: User, bob: User, make_connection: MakeConnection
) -> None:
    join(bob, team_of(alice).name, Role.VIEWER)
    User.objects.create_user("stranger")
    inactive = User.objects.create_user("inactive", is_active=False)
    join(inactive, team_of(alice).name, Role.VIEWER)
    connection = make_connection(alice)
    address = f"/connections/{connection.pk}/update/"
    form = squeeze(client.get(address).content.decode())
    assert re.findall(r'<option value="(\w+)"', form) == ["alice", "bob"]
    assert '<option value="alice" selected>' in form
    data = {"label": "Northwind", "regions": ["NA", "EU", "FE"]}
    assert client.post(address, {**data, "owner": "bob"}).status_code == 303
    connection.refresh_from_db()
    assert connection.owner == bob
    assert client.post(address, {**data, "owner": "stranger"}).status_code == 422
    connection.refresh_from_db()
    assert connection.owner == bob


def test_an_owner_who_left_the_team_stays_when_only_the_label_changes(
    client: Client, alice: User, bob: User, make_connection: MakeConnection
) -> None:
    connection = make_connection(bob, team=team_of(alice))
    data = {"label": "Südwind", "regions": ["NA", "EU", "FE"], "owner": "bob"}
    assert client.post(f"/connections/{connection.pk}/update/", data).status_code == 303
    connection.refresh_from_db()
    assert (connection.label, connection.owner) == ("Südwind", bob)


def test_the_admin_only_shows_label_and_regions(
    superuser: User, log_in: LogIn, make_connection: MakeConnection
) -> None:
    connection = make_connection(superuser)
    address = f"/admin/tokens/connection/{connection.pk}/change/"
    assert log_in(superuser).get(address).status_code == 200
    assert log_in(superuser).post(address, {"label": "Mine", "regions": ["EU"]}).status_code == 403
    connection.refresh_from_db()
    assert connection.label == "Northwind"


class TestForget:
    def test_an_administrator_forgets_a_disconnected_login_after_a_question(
        self, administrator: User, alice: User, log_in: LogIn, make_connection: MakeConnection
    ) -> None:
        connection = make_connection(
            alice, "Zebulon", state="disconnected", amazon_user_email="z@example.test"
        )
        client = log_in(administrator)
        address = f"/connections/{connection.pk}/forget/"
        assert address in client.get(f"/connections/{connection.pk}/").content.decode()
        assert "cannot be undone" in client.get(address).content.decode()
        connection.refresh_from_db()
        assert not connection.is_forgotten
        text = client.post(address, follow=True).content.decode()
        assert "Forgotten login" in text
        assert "by ada" in text
        assert not any(trace in text for trace in ("Zebulon", "z@example.test", address, 'id="reconnect-'))

    def test_a_connected_login_is_refused(
        self, administrator: User, alice: User, log_in: LogIn, make_connection: MakeConnection
    ) -> None:
        connection = make_connection(alice)
        client = log_in(administrator)
        assert "/forget/" not in client.get(f"/connections/{connection.pk}/").content.decode()
        text = client.post(f"/connections/{connection.pk}/forget/", follow=True).content.decode()
        assert "Disconnect it first" in text
        assert Connection.objects.get().label == "Northwind"

    def test_an_operator_forgets_nothing(
        self, alice: User, log_in: LogIn, make_connection: MakeConnection
    ) -> None:
        connection = make_connection(alice, state="disconnected")
        client = log_in(alice)
        assert "/forget/" not in client.get(f"/connections/{connection.pk}/").content.decode()
        assert client.post(f"/connections/{connection.pk}/forget/").status_code == 403
        assert Connection.objects.get().forgotten_at is None


def test_a_login_says_how_many_accounts_are_its_own_and_how_many_shared(
    client: Client, alice: User, make_connection: MakeConnection, make_account: MakeAccount
) -> None:
    ana, farah = make_connection(alice, "ana"), make_connection(alice, "farah")
    for _ in range(2):
        AccountAccess.objects.create(account=make_account(ana), connection=farah)
    page = squeeze(client.get(f"/connections/{farah.pk}/").content.decode())
    assert ">0 accounts + 2 shared<" in page
    assert ">accounts + 2 shared · " in squeeze(client.get("/connections/").content.decode())
    assert client.get(f"/accounts/?connection={farah.pk}").context["count_text"] == "2"
