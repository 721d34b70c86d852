"""Notes on accounts and connections, and labels that are changed where they stand."""

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client

from accounts.models import Account, Note
from accounts.notes import add_note, clean_text, delete_note
from tests.dashboard.conftest import LogIn, MakeAccount, MakeConnection, squeeze
from tests.teams import join, team_of
from tokens.connect.disconnect import disconnect_connection
from tokens.connect.forget import forget_login
from tokens.models import Connection
from tokens.people.roles import Role
from tokens.permissions import SYSTEM

HTMX = {"HX-Request": "true", "HX-Target": "labels"}


@pytest.fixture
def client(alice: User, log_in: LogIn) -> Client:
    return log_in(alice)


@pytest.fixture
def account(alice: User, make_connection: MakeConnection, make_account: MakeAccount) -> Account:
    return make_account(make_connection(alice), "Garden", labels={"team": "north"})


def read(client: Client, account: Account) -> str:
    return squeeze(client.get(f"/accounts/{account.pk}/").content.decode())


def test_a_note_stands_on_the_page_with_author_and_time(client: Client, account: Account) -> None:
    for text in ("First", "Second <b>\nline"):
        assert client.post(f"/accounts/{account.pk}/notes/", {"text": text}).status_code == 303
    page = read(client, account)
    assert page.index("Second &lt;b&gt;") < page.index("<bdi>First</bdi>")
    assert "alice,<time" in page
    connection = account.connection
    client.post(f"/connections/{connection.pk}/notes/", {"text": "On the login"})
    assert "On the login" in client.get(f"/connections/{connection.pk}/").content.decode()
    assert "On the login" not in read(client, account)


@pytest.mark.parametrize(
    "text", ["", "  \n ", "x" * 4_001, "a\x00b", "a\x1b[2J", "Atzr|IwEBIJ0123456789", None]
)
def test_a_text_that_cannot_be_a_note_is_refused(text: str | None) -> None:
    with pytest.raises(ValidationError):
        clean_text(text)


def test_authors_delete_their_notes_and_administrators_all(alice: User, bob: User, account: Account) -> None:
    join(bob, team_of(alice).name, Role.OPERATOR)
    bob = User.objects.get(pk=bob.pk)
    of_alice, of_bob = add_note(alice, account, "Of Alice"), add_note(bob, account, "Of Bob")
    with pytest.raises(PermissionDenied):
        delete_note(bob, of_alice)
    delete_note(bob, of_bob)
    assert list(Note.objects.all()) == [of_alice]
    join(bob, team_of(alice).name, Role.ADMINISTRATOR)
    delete_note(User.objects.get(pk=bob.pk), of_alice)
    assert not Note.objects.exists()


def test_notes_of_a_forgotten_login_are_deleted(alice: User, account: Account) -> None:
    add_note(alice, account, "On the account")
    add_note(alice, account.connection, "On the login")
    disconnect_connection(SYSTEM, account.connection)
    forget_login(SYSTEM, Connection.objects.get(pk=account.connection_id))
    assert not Note.objects.exists()


def test_the_api_lists_notes_and_refuses_one_on_two_things(client: Client, account: Account) -> None:
    note = Note.objects.create(account=account, text="Ask Ana.")
    listed = client.get(f"/api/v1/notes/?account={account.pk}").json()["results"]
    assert [(each["id"], each["text"], each["author"]) for each in listed] == [
        (str(note.pk), "Ask Ana.", None)
    ]
    assert client.get(f"/api/v1/notes/?connection={account.connection_id}").json()["results"] == []
    body = {"account": str(account.pk), "connection": str(account.connection_id), "text": "x"}
    assert client.post("/api/v1/notes/", body, content_type="application/json").status_code == 400


def label(client: Client, account: Account, **form: str) -> str:
    return squeeze(client.post(f"/accounts/{account.pk}/labels/", form, headers=HTMX).content.decode())


def find_undo(part: str) -> str:
    text = part.partition('name="undo" value="')[2].partition('"')[0]
    return text.replace("&quot;", '"')


def test_labels_are_changed_where_they_stand_and_undone(client: Client, account: Account) -> None:
    part = label(client, account, label="season: Q4, client: acme")
    assert "<bdi>season: Q4</bdi>" in part
    account.refresh_from_db()
    assert account.labels == {"team": "north", "season": "Q4", "client": "acme"}
    assert "Undone." in label(client, account, undo=find_undo(part))
    account.refresh_from_db()
    assert account.labels == {"team": "north"}
    part = label(client, account, remove="team")
    account.refresh_from_db()
    assert account.labels == {}
    # What has been changed since stays.
    label(client, account, label="team: south")
    assert "It was changed since" in label(client, account, undo=find_undo(part))
    account.refresh_from_db()
    assert account.labels == {"team": "south"}


@pytest.mark.parametrize("form", [{"label": "no colon"}, {"label": "empty:"}, {"label": ""}, {"undo": "[1"}])
def test_what_is_no_label_is_refused_beside_the_field(
    client: Client, account: Account, form: dict[str, str]
) -> None:
    assert 'id="label-error"' in label(client, account, **form) or "cannot be undone" in label(
        client, account, **form
    )
    account.refresh_from_db()
    assert account.labels == {"team": "north"}


def test_labels_of_a_connection_are_changed_where_they_stand(client: Client, account: Account) -> None:
    address = f"/connections/{account.connection_id}/labels/"
    assert "season: Q4" in client.post(address, {"label": "season: Q4"}, headers=HTMX).content.decode()
    assert Connection.objects.get().labels == {"season": "Q4"}
