"""Erasing a person in the admin, and what the admin says where somebody cannot be deleted."""

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client

from tests.dashboard.conftest import LogIn, MakeAccount, MakeConnection, squeeze, staff
from tests.teams import join
from tests.traces import find_tables_with
from tokens.connect.disconnect import disconnect_connection
from tokens.models import Connection
from tokens.people.roles import Role
from tokens.permissions import SYSTEM

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(superuser: User, log_in: LogIn) -> Client:
    return log_in(superuser)


@pytest.fixture
def quagga(make_connection: MakeConnection) -> User:
    """A person whom the history names."""
    user = User.objects.create_user("quagga", "quagga@example.test", is_staff=True)
    # The migration of an older database names a team for each owner.
    join(user, "quagga", Role.OPERATOR)
    disconnect_connection(SYSTEM, make_connection(user))
    return user


def page_of(user: User) -> str:
    return f"/admin/auth/user/{user.pk}/erase/"


class TestPage:
    def test_it_says_what_is_erased_and_erases_after_a_press(self, root: Client, quagga: User) -> None:
        browser = Client()
        browser.force_login(quagga)
        page = squeeze(root.get(page_of(quagga)).content.decode())
        assert "Erase quagga?" in page
        assert f"erased-{quagga.pk} instead" in page
        assert "<li>Session: 1</li>" in page
        assert find_tables_with("quagga")
        answer = root.post(page_of(quagga), follow=True)
        assert f"is called erased-{quagga.pk} now" in answer.content.decode()
        assert find_tables_with("quagga") == ["tokens_auditentry"], "the trail had the name of a team"
        assert browser.get("/auth/sessions/").status_code == 302

    def test_the_log_of_the_admin_has_it(self, root: Client, quagga: User, superuser: User) -> None:
        root.post(page_of(quagga))
        entry = LogEntry.objects.get()
        assert (entry.user, entry.object_id) == (superuser, str(quagga.pk))
        assert entry.get_change_message() == "Erased."

    def test_the_page_of_an_erased_person_says_so(self, root: Client, quagga: User) -> None:
        root.post(page_of(quagga))
        page = squeeze(root.get(page_of(quagga)).content.decode())
        assert f"erased-{quagga.pk} is erased" in page
        assert "by root" in page
        assert "c-button--danger" not in page.partition("dialog-title")[2]
        assert f"erased-{quagga.pk} is erased" in squeeze(root.post(page_of(quagga)).content.decode())

    def test_a_list_says_who_was_erased_when_and_by_whom(self, root: Client, quagga: User) -> None:
        root.post(page_of(quagga))
        listed = root.get("/admin/tokens/erasedperson/").content.decode()
        details = root.get(f"/admin/tokens/erasedperson/{quagga.pk}/change/").content.decode()
        for page in (listed, details):
            assert f"erased-{quagga.pk}" in page
            assert "root" in page

    def test_an_erased_person_is_not_changed(self, root: Client, quagga: User) -> None:
        root.post(page_of(quagga))
        assert 'name="username"' not in root.get(f"/admin/auth/user/{quagga.pk}/change/").content.decode()
        assert root.post(f"/admin/auth/user/{quagga.pk}/change/", {"username": "quagga"}).status_code == 403
        assert root.get(f"/admin/auth/user/{quagga.pk}/password/").status_code == 403
        assert root.post(f"/admin/auth/user/{quagga.pk}/delete/", {"post": "yes"}).status_code == 403

    @pytest.mark.parametrize("who", ["ada", "hr"])
    def test_only_superusers_open_it(
        self, quagga: User, administrator: User, log_in: LogIn, who: str
    ) -> None:
        hr = staff("hr")
        hr.user_permissions.set(Permission.objects.filter(content_type__app_label="auth"))
        browser = log_in(User.objects.get(username=who))
        assert browser.get(page_of(quagga)).status_code == 403
        assert browser.post(page_of(quagga)).status_code == 403
        assert User.objects.filter(username="quagga").exists()

    def test_nobody_erases_themselves(self, root: Client, superuser: User) -> None:
        page = squeeze(root.get(page_of(superuser)).content.decode())
        assert "Nobody erases themselves" in page
        assert ">Erase root</button>" not in page
        assert root.post(page_of(superuser)).status_code == 409
        assert User.objects.filter(username="root").exists()

    def test_an_unknown_person_is_not_found(self, root: Client) -> None:
        for unknown in ("999999", "x"):
            assert root.get(f"/admin/auth/user/{unknown}/erase/").status_code == 404

    def test_it_needs_its_csrf_token(self, superuser: User, quagga: User) -> None:
        browser = Client(enforce_csrf_checks=True)
        browser.force_login(superuser)
        assert browser.post(page_of(quagga)).status_code == 403
        assert User.objects.filter(username="quagga").exists()


class TestOwner:
    @pytest.fixture(autouse=True)
    def connection(
        self, quagga: User, make_connection: MakeConnection, make_account: MakeAccount
    ) -> Connection:
        connection = make_connection(quagga, "Garden <shop>")
        make_account(connection, "Northwind")
        return connection

    def test_the_connections_are_named_and_somebody_must_get_them(
        self, root: Client, quagga: User, connection: Connection, alice: User
    ) -> None:
        User.objects.create_user("gone", is_active=False)
        page = squeeze(root.get(page_of(quagga)).content.decode())
        assert f'href="/connections/{connection.pk}/">Garden &lt;shop&gt;</a>' in page
        assert ">alice</option>" in page
        assert ">gone</option>" not in page
        assert ">quagga</option>" not in page
        assert "This field is required" in root.post(page_of(quagga)).content.decode()
        assert User.objects.filter(username="quagga").exists()

    def test_they_are_handed_over(
        self, root: Client, quagga: User, connection: Connection, alice: User
    ) -> None:
        join(alice, connection.team.name, Role.VIEWER)
        root.post(page_of(quagga), {"heir": alice.pk})
        connection.refresh_from_db()
        assert connection.owner == alice
        assert connection.accounts.get().user == quagga, "who connected it"
        assert find_tables_with("quagga") == ["tokens_auditentry"], "the trail had the name of a team"

    def test_a_refusal_is_shown_and_nothing_is_changed(self, root: Client, quagga: User, alice: User) -> None:
        answer = root.post(page_of(quagga), {"heir": alice.pk})
        assert answer.status_code == 409
        assert "alice is no member of the team" in answer.content.decode()
        assert User.objects.filter(username="quagga").exists()


class TestDoors:
    def test_the_page_of_a_person_leads_there(self, root: Client, quagga: User) -> None:
        assert page_of(quagga) in root.get(f"/admin/auth/user/{quagga.pk}/change/").content.decode()

    def test_the_action_leads_there(self, root: Client, quagga: User, alice: User) -> None:
        one = {"action": "erase", "_selected_action": [quagga.pk]}
        assert root.post("/admin/auth/user/", one)["Location"] == page_of(quagga)
        two = {"action": "erase", "_selected_action": [quagga.pk, alice.pk]}
        assert "Choose one person" in root.post("/admin/auth/user/", two, follow=True).content.decode()
        assert User.objects.filter(username="quagga").exists()

    def test_deleting_somebody_with_a_history_leads_there(self, root: Client, quagga: User) -> None:
        address = f"/admin/auth/user/{quagga.pk}/delete/"
        for answer in (root.get(address, follow=True), root.post(address, {"post": "yes"}, follow=True)):
            assert answer.redirect_chain == [(page_of(quagga), 302)]
            assert "The history names this person" in answer.content.decode()
        assert User.objects.filter(username="quagga").exists()

    def test_deleting_several_of_whom_one_has_a_history_deletes_nobody(
        self, root: Client, quagga: User
    ) -> None:
        new = User.objects.create_user("new")
        form = {"action": "delete_selected", "_selected_action": [quagga.pk, new.pk]}
        for more in ({}, {"post": "yes"}):
            page = root.post("/admin/auth/user/", {**form, **more}, follow=True).content.decode()
            assert "Nobody was deleted. The history names these people: quagga." in page
        assert User.objects.filter(username__in=["quagga", "new"]).count() == 2

    def test_somebody_without_a_history_is_deleted(self, root: Client) -> None:
        one, two = User.objects.create_user("one"), User.objects.create_user("two")
        root.post(f"/admin/auth/user/{one.pk}/delete/", {"post": "yes"})
        root.post(
            "/admin/auth/user/",
            {"action": "delete_selected", "_selected_action": [two.pk], "post": "yes"},
        )
        assert not User.objects.filter(username__in=["one", "two"]).exists()


def test_the_log_of_a_deleted_second_factor_does_not_have_its_name(root: Client, alice: User) -> None:
    key = Authenticator.objects.create(user=alice, type="webauthn", data={"name": "Zebulon's key"})
    root.post(f"/admin/mfa/authenticator/{key.pk}/delete/", {"post": "yes"})
    assert not Authenticator.objects.exists()
    assert LogEntry.objects.get().object_repr == "WebAuthn of alice"
