"""Saved views of the accounts: own and shared, changed, counted, removed."""

from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client

from tests.dashboard.conftest import LogIn, MakeAccount, MakeConnection, squeeze
from tests.teams import join, team_of
from tokens.models import SavedView
from tokens.people.roles import Role
from tokens.people.saved_views import remove_view, save_view


@pytest.fixture
def client(alice: User, log_in: LogIn) -> Client:
    return log_in(alice)


@pytest.fixture(autouse=True)
def accounts(alice: User, make_connection: MakeConnection, make_account: MakeAccount) -> None:
    connection = make_connection(alice)
    for number in range(3):
        make_account(connection, f"German {number}", countries=["DE"])
    make_account(connection, "Other", countries=["US"])


def tabs(client: Client, address: str = "/accounts/") -> dict[str, bool]:
    return {tab.view.name: tab.current for tab in client.get(address, follow=True).context["tabs"]}


def test_a_view_is_saved_opened_changed_saved_again_and_removed(client: Client) -> None:
    saved = client.post(
        "/views/", {"name": "  Peak  DE ", "query": "country=de&ordering=-name&cursor=x&odd=1"}
    )
    assert saved.status_code == 303
    page = client.get(saved["Location"], follow=True)
    assert [account.name for account in page.context["accounts"]] == ["German 2", "German 1", "German 0"]
    assert tabs(client, saved["Location"]) == {"Peak DE": True}
    assert not page.context["is_changed"]
    assert tabs(client) == {"Peak DE": False}
    for link in (heading.sort.address for heading in page.context["headings"] if heading.sort):
        changed = client.get(f"/accounts/{link}")
        assert changed.context["is_changed"] is ("ordering=-name" not in link)
        assert changed.context["opened_view"].name == "Peak DE"
    view = changed.context["opened_view"]
    client.post("/views/", {"name": view.name, "query": "country=US"})
    assert SavedView.objects.get().query == "country=US"
    changed = client.get(f"/accounts/?country=DE&saved={view.pk}")
    reset = client.get(changed.context["opened_view_address"], follow=True)
    assert [account.name for account in reset.context["accounts"]] == ["Other"]
    client.post(f"/views/{view.pk}/remove/")
    assert tabs(client) == {}


def test_a_view_keeps_how_its_accounts_are_grouped(client: Client) -> None:
    saved = client.post("/views/", {"name": "By country", "query": "group=country"})
    page = client.get(saved["Location"], follow=True)
    assert page.context["grouped_by"] == "Marketplace"
    assert not page.context["is_changed"]
    links = {title: address for title, address, _ in page.context["groupings"]}
    assert client.get(f"/accounts/{links['Connection']}").context["is_changed"]


def test_counts_come_after_the_page_and_are_known_to_the_next(client: Client) -> None:
    client.post("/views/", {"name": "German", "query": "country=DE"})
    client.post("/views/", {"name": "Gone", "query": "connection=01890000-0000-7000-8000-000000000000"})
    assert {tab.number for tab in client.get("/accounts/").context["tabs"]} == {""}
    counts = squeeze(client.get("/views/counts/").content.decode())
    keys = {view.name: view.pk for view in SavedView.objects.all()}
    assert f'<b id="count-{keys["German"]}" hx-swap-oob="true">3</b>' in counts
    assert f'<b id="count-{keys["Gone"]}" hx-swap-oob="true">0</b>' in counts
    known = {tab.view.name: tab.number for tab in client.get("/accounts/").context["tabs"]}
    assert known == {"German": "3", "Gone": "0"}


def test_own_views_are_seen_by_their_owner_and_shared_ones_by_the_team(
    client: Client, alice: User, bob: User, log_in: LogIn
) -> None:
    team = team_of(alice)
    client.post("/views/", {"name": "<b>Mine", "query": ""})
    client.post("/views/", {"name": "Ours", "query": "", "share": str(team.pk)})
    assert tabs(client) == {"<b>Mine": False, "Ours": False}
    assert "<b>Mine" not in client.get("/accounts/").content.decode()
    assert tabs(log_in(bob)) == {}
    join(bob, team.name, Role.VIEWER)
    bob = User.objects.get(pk=bob.pk)
    assert tabs(log_in(bob)) == {"Ours": False}
    shared = SavedView.objects.get(name="Ours")
    for act in (
        lambda: save_view(bob, name="Ours", query="country=US", team=team),
        lambda: remove_view(bob, shared),
        lambda: remove_view(bob, SavedView.objects.get(name="<b>Mine")),
    ):
        with pytest.raises(PermissionDenied):
            act()
    assert log_in(bob).post(f"/views/{SavedView.objects.get(name='<b>Mine').pk}/remove/").status_code == 404
    assert log_in(bob).post("/views/", {"name": "Theirs", "share": str(team.pk)}).status_code == 403


@pytest.mark.parametrize(
    ("name", "query", "error"),
    [
        (" ", "", "Give the view a name"),
        ("x" * 61, "", "more than 60 characters"),
        ("a\x1bb", "", "cannot be shown"),
        ("Long", f"labels={'x' * 5000}", "more than 4,000 characters"),
    ],
)
def test_what_cannot_be_kept_is_refused(alice: User, name: str, query: str, error: str) -> None:
    with pytest.raises(ValidationError, match=error):
        save_view(alice, name=name, query=query)
    assert not SavedView.objects.exists()


def test_a_mistake_is_told_on_the_page_that_was_to_be_saved(client: Client) -> None:
    answer = client.post("/views/", {"name": " ", "query": "country=DE"}, follow=True)
    assert "Give the view a name." in answer.content.decode()
    assert urlsplit(answer.redirect_chain[-1][0]).query == "country=DE"
