"""The way of a client: the page of the link, Amazon, and what came of it."""

from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.db.models import F
from django.db.models.functions import Now
from django.test import Client

from accounts.models import Account, AccountAccess
from amazon_accounts.sandbox.state import Sandbox
from dashboard.audit.words import name_actor
from tests.public_url import browser_at_public_url
from tests.tokens.conftest import new_connection
from tests.tokens.connect.links.visiting import come_back, new_link, read, start, visit
from tokens.connect.disconnect import disconnect_connection
from tokens.connect.links import revoke_connect_link
from tokens.models import AuditEntry, AuthorizationAttempt, Connection, ConnectLink
from tokens.permissions import SYSTEM

pytestmark = pytest.mark.django_db(transaction=True)


def connections() -> int:
    return Connection.objects.count()


def of_bob(mara: User, settings: LazySettings, sandbox: Sandbox, **fields: object) -> Connection:
    """A connection of the login bob in the team of Mara."""
    return new_connection(mara, settings, sandbox.refresh_token("bob"), **fields)


def see(connection: Connection, amazon_account_id: str) -> None:
    """Let the connection see this account."""
    account = Account.objects.create(
        user=connection.owner,
        team=connection.team,
        connection=connection,
        amazon_account_id=amazon_account_id,
        source="ads_accounts",
        status="active",
    )
    AccountAccess.objects.create(account=account, connection=connection)


class TestConnecting:
    def test_the_page_says_who_asks_for_what(self, mara: User, browser: Client) -> None:
        _, path = new_link(mara)
        response = browser.get(path)
        text = read(response)
        assert "Mara Reuter of Team of alice asks to look after the ad accounts of Copperleaf." in text
        assert "Manage campaigns for you through Amazon" in text
        assert "If you are signed in at Amazon as somebody else, sign out there first." in text
        assert "alice@example.test" not in text
        assert response["Referrer-Policy"] == "strict-origin"
        assert "no-store" in response["Cache-Control"]
        # A form without an address is sent to the page itself, so the token is in no text of the page.
        assert path.strip("/").removeprefix("c/") not in response.content.decode()
        assert not AuthorizationAttempt.objects.exists()

    def test_it_connects_and_shows_login_and_accounts(
        self, mara: User, sandbox: Sandbox, changes: list[str]
    ) -> None:
        link, path = new_link(mara, regions=["EU"])
        browser = visit(path, sandbox)
        connection = Connection.objects.get()
        assert (connection.owner, connection.team, connection.label) == (mara, link.team, "Copperleaf")
        assert connection.regions == ["EU"]
        assert changes == ["connected"]
        text = read(browser.get(path))
        assert "Thank you. Copperleaf is connected." in text
        assert f"Amazon login {connection.amazon_user}" in text
        assert "Looking for them" in text
        see(connection, "1")
        assert "1 found so far" in read(browser.get(path))
        Connection.objects.update(last_synced_at=Now())
        assert "Ad accounts 1 found Good until" in read(browser.get(path))

    def test_nobody_signed_in_is_recorded_with_the_link(self, mara: User, sandbox: Sandbox) -> None:
        link, path = new_link(mara)
        visit(path, sandbox)
        entry = AuditEntry.objects.get(action="connection.connect")
        assert (entry.actor_kind, entry.outcome, entry.address) == ("nobody", "done", "127.0.0.1")
        assert entry.after is not None
        assert (entry.after["given_by"], entry.after["link"]) == ("client link", str(link.pk))
        assert name_actor(entry) == "A client with a link"

    @pytest.mark.parametrize("left", ["left the team", "deactivated"])
    def test_it_works_when_the_maker_has_left(self, mara: User, sandbox: Sandbox, left: str) -> None:
        link, path = new_link(mara)
        mara.memberships.all().delete()
        if left == "deactivated":
            User.objects.update(is_active=False)
        visit(path, sandbox)
        assert Connection.objects.get().owner == mara
        assert Connection.objects.get().team == link.team

    def test_a_login_that_the_team_has_is_renewed_and_named(
        self, mara: User, sandbox: Sandbox, changes: list[str]
    ) -> None:
        visit(new_link(mara)[1], sandbox)
        known = Connection.objects.get()
        _, path = new_link(mara, label="Second", regions=["EU"])
        browser = visit(path, sandbox)
        renewed = Connection.objects.get()
        assert (renewed.pk, renewed.label, renewed.grant_version) == (known.pk, "Copperleaf", 2)
        assert changes == ["connected", "healed"]
        text = read(browser.get(path))
        assert "The access for Second is renewed." in text
        assert "This Amazon login was connected before" in text
        link = ConnectLink.objects.latest("pk")
        assert (link.connected, link.has_renewed) == (known, True)

    def test_it_connects_where_cookies_have_a_prefix_as_with_https(
        self, mara: User, sandbox: Sandbox, settings: LazySettings, browser: Client
    ) -> None:
        settings.COOKIE_PREFIX = "__Host-"
        _, path = new_link(mara)
        visit(path, sandbox, browser=browser)
        assert "Thank you. Copperleaf is connected." in read(browser.get(path))
        assert [name for name in browser.cookies if name.startswith("__Host-client_link_")]


class TestSingleUse:
    def test_the_browser_that_used_it_sees_the_result_for_an_hour_and_others_get_410(
        self, mara: User, sandbox: Sandbox, browser: Client
    ) -> None:
        _, path = new_link(mara)
        visit(path, sandbox, browser=browser)
        assert browser.get(path).status_code == 200
        assert (browser.post(path).status_code, browser.post(path)["Location"]) == (303, path)
        for other in (browser_at_public_url().get(path), browser_at_public_url().post(path)):
            assert other.status_code == 410
            assert "It was used on" in read(other)
            assert "Ask Team of alice for a new one." in read(other)
        ConnectLink.objects.update(used_at=F("used_at") - timedelta(minutes=61))
        assert browser.get(path).status_code == 410
        assert connections() == 1

    def test_a_second_use_connects_nothing(self, mara: User, sandbox: Sandbox, browser: Client) -> None:
        _, path = new_link(mara)
        second = browser_at_public_url()
        addresses = [(each, sandbox.consent(start(each, path), "bob")) for each in (browser, second)]
        sandbox_of_other = browser_at_public_url()
        late = sandbox.consent(start(sandbox_of_other, path), "charlie")
        answers = [come_back(each, address).status_code for each, address in addresses]
        assert answers == [303, 303]
        assert come_back(sandbox_of_other, late).status_code == 303
        assert [browser.get(path).status_code, second.get(path).status_code] == [200, 410]
        assert sandbox_of_other.get(path).status_code == 410
        assert connections() == 1
        assert Connection.objects.get().grant_version == 1

    @pytest.mark.parametrize("how", ["revoked", "expired", "disconnected"])
    def test_a_link_that_ended_connects_nothing(
        self, mara: User, sandbox: Sandbox, settings: LazySettings, browser: Client, how: str
    ) -> None:
        connection = of_bob(mara, settings, sandbox)
        link, path = new_link(mara, connection)
        # The client is at Amazon already.
        address = sandbox.consent(start(browser, path), "bob")
        match how:
            case "revoked":
                assert revoke_connect_link(mara, link)
            case "expired":
                ConnectLink.objects.update(
                    created_at=Now() - timedelta(days=8), ends_at=Now() - timedelta(days=1)
                )
            case "disconnected":
                disconnect_connection(SYSTEM, connection)
        assert come_back(browser, address)["Location"] == path
        shown = browser.get(path)
        assert shown.status_code == 410
        words = "It worked until" if how == "expired" else "It was withdrawn by those who sent it."
        assert words in read(shown)
        assert browser.post(path).status_code == 410
        assert connections() == 1
        assert Connection.objects.get().grant_version == 1

    def test_an_unknown_token_opens_nothing(self, mara: User, browser: Client) -> None:
        response = browser.get("/c/no-such-token/")
        assert response.status_code == 410
        assert "This link opens nothing any more" in read(response)


class TestOtherBrowser:
    def test_a_stranger_who_comes_back_with_the_answer_connects_nothing(
        self, mara: User, sandbox: Sandbox, browser: Client
    ) -> None:
        _, path = new_link(mara)
        address = sandbox.consent(start(browser, path), "bob")
        stranger = browser_at_public_url()
        start(stranger, path)
        for other in (browser_at_public_url(), stranger):
            response = come_back(other, address)
            assert response.status_code == 403
            assert "begun in another browser" in read(response)
        assert connections() == 0
        # The browser that began it goes on undisturbed.
        assert come_back(browser, address).status_code == 303
        assert connections() == 1
        assert come_back(stranger, address).status_code == 403

    def test_the_maker_who_is_signed_in_is_another_browser(
        self, mara: User, sandbox: Sandbox, browser: Client
    ) -> None:
        _, path = new_link(mara)
        address = sandbox.consent(start(browser, path), "bob")
        signed_in = browser_at_public_url()
        signed_in.force_login(mara)
        assert come_back(signed_in, address).status_code == 403
        assert connections() == 0

    def test_an_answer_that_comes_twice_connects_once(
        self, mara: User, sandbox: Sandbox, browser: Client
    ) -> None:
        _, path = new_link(mara)
        address = sandbox.consent(start(browser, path), "bob")
        assert [come_back(browser, address)["Location"] for _ in range(2)] == [path, path]
        assert Connection.objects.get().grant_version == 1

    def test_an_answer_that_comes_late_connects_nothing(
        self, mara: User, sandbox: Sandbox, browser: Client
    ) -> None:
        _, path = new_link(mara)
        address = sandbox.consent(start(browser, path), "bob")
        AuthorizationAttempt.objects.update(created_at=Now() - timedelta(minutes=11))
        response = come_back(browser, address)
        assert response.status_code == 410
        assert f'href="{path}"' in response.content.decode()
        assert connections() == 0


class TestTryingAgain:
    @pytest.mark.parametrize(
        ("fault", "words"),
        [
            ("cancel", "You cancelled at Amazon. Nothing was connected."),
            ("server_error", "Please try again in a minute."),
            ("unauthorized_client", "it is not your fault. Please tell Team of alice."),
        ],
    )
    def test_a_try_that_failed_says_why_and_the_next_one_connects(
        self, mara: User, sandbox: Sandbox, browser: Client, fault: str, words: str
    ) -> None:
        _, path = new_link(mara)
        if fault == "cancel":
            visit(path, sandbox, decision="cancel", browser=browser)
        else:
            state = start(browser, path).partition("state=")[2].partition("&")[0]
            assert browser.get(f"/connect/amazon/callback/?state={state}&error={fault}").status_code == 303
        text = read(browser.get(path))
        assert words in text
        assert words not in read(browser_at_public_url().get(path))
        assert connections() == 0
        assert AuditEntry.objects.get(action="connection.connect").outcome == "refused"
        visit(path, sandbox, browser=browser)
        assert connections() == 1


class TestRenewing:
    def test_the_same_login_is_renewed(
        self, mara: User, sandbox: Sandbox, settings: LazySettings, browser: Client
    ) -> None:
        visit(new_link(mara)[1], sandbox)
        connection = Connection.objects.get()
        link, path = new_link(mara, connection, label="Copperleaf Ltd")
        text = read(browser.get(path))
        assert "Renew the access to your Amazon Ads account" in text
        assert f"It is {connection.amazon_user}, no other one can be used." in text
        visit(path, sandbox, browser=browser)
        renewed = Connection.objects.get()
        assert (renewed.grant_version, renewed.label) == (2, "Copperleaf")
        link.refresh_from_db()
        assert (link.connected, link.has_renewed, link.state) == (renewed, True, "used")

    def test_another_login_changes_nothing_and_is_told_which_one_is_right(
        self, mara: User, sandbox: Sandbox, browser: Client
    ) -> None:
        visit(new_link(mara)[1], sandbox)
        connection = Connection.objects.get()
        link, path = new_link(mara, connection)
        visit(path, sandbox, login="charlie", browser=browser)
        link.refresh_from_db()
        assert link.state == "open"
        text = read(browser.get(path))
        assert (
            f"You signed in at Amazon as {link.came_back_as}, but this link is for {connection.amazon_user}"
            in text
        )
        assert "sign out there, come back to this page" in text
        stored = Connection.objects.get()
        assert (stored.pk, stored.grant_version) == (connection.pk, 1)
        visit(path, sandbox, browser=browser)
        assert Connection.objects.get().grant_version == 2
        assert ConnectLink.objects.get(pk=link.pk).came_back_as == ""

    def test_a_login_that_amazon_does_not_name_in_time_is_no_renewal(
        self, mara: User, sandbox: Sandbox, browser: Client
    ) -> None:
        visit(new_link(mara)[1], sandbox)
        _, path = new_link(mara, Connection.objects.get())
        sandbox.faults.add("error_500", path="/user/profile")
        visit(path, sandbox, browser=browser)
        assert "Please try again in a minute." in read(browser.get(path))
        assert Connection.objects.get().grant_version == 1

    @pytest.mark.parametrize(("login", "versions"), [("bob", 2), ("charlie", 1)])
    def test_an_unknown_login_must_see_an_account_of_the_connection(
        self, mara: User, sandbox: Sandbox, settings: LazySettings, browser: Client, login: str, versions: int
    ) -> None:
        connection = of_bob(mara, settings, sandbox)
        _, path = new_link(mara, connection)
        visit(path, sandbox, login="bob", browser=browser)
        # No account of it is known yet, so nothing shows that it is the same login.
        assert Connection.objects.get().grant_version == 1
        see(connection, sandbox.truth("bob")["ads_accounts"][0]["adsAccountId"])
        visit(path, sandbox, login=login, browser=browser)
        assert connections() == 1
        assert Connection.objects.get().grant_version == versions
        if login == "charlie":
            assert "is not the one with the ad accounts of Copperleaf" in read(browser.get(path))

    @pytest.mark.parametrize(
        ("is_known", "words"),
        [
            (True, "You did not allow the access to the ad accounts"),
            (False, "The Amazon login that you used is not the one with the ad accounts of Copperleaf."),
        ],
    )
    def test_a_login_that_amazon_may_not_name_is_not_called_another_one(
        self, mara: User, sandbox: Sandbox, browser: Client, is_known: bool, words: str
    ) -> None:
        visit(new_link(mara)[1], sandbox)
        connection = Connection.objects.get()
        if is_known:
            see(connection, sandbox.truth("bob")["ads_accounts"][0]["adsAccountId"])
        _, path = new_link(mara, connection)
        sandbox.faults.add("lwa_error", path="/user/profile", status=403, error="insufficient_scope")
        visit(path, sandbox, browser=browser)
        text = read(browser.get(path))
        assert words in text
        assert "You signed in at Amazon as" not in text
        assert Connection.objects.get().grant_version == 1
