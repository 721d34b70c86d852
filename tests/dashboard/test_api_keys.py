"""The page of API keys."""

import re
import time
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.internal.flows.login import AUTHENTICATION_METHODS_SESSION_KEY
from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from tests.api_keys import new_key
from tests.dashboard.conftest import LogIn, squeeze, staff
from tests.sign_ins import sign_in
from tests.teams import join, team_of
from tokens.models import ApiKey, Team
from tokens.people.keys import MAX_KEYS, digest_key, make_team_key
from tokens.people.roles import Role

pytestmark = pytest.mark.django_db

PAGE = "/keys/"


def read(browser: Client, address: str = PAGE) -> str:
    return squeeze(browser.get(address).content.decode())


def use(key: str) -> int:
    return Client().get("/api/v1/accounts/", headers={"Authorization": f"Bearer {key}"}).status_code


class TestList:
    def test_it_shows_the_own_keys_and_no_others(self, alice: User, bob: User, log_in: LogIn) -> None:
        key, _ = new_key(alice), new_key(bob)
        ApiKey.objects.filter(user=alice).update(last_used_at=Now(), last_used_from="192.0.2.7")
        ApiKey.objects.filter(user=bob).update(name="Of bob")
        html = read(log_in(alice))
        assert f"{key[:12]}…" in html
        assert "from 192.0.2.7" in html
        assert "Of bob" not in html

    def test_a_phone_shows_limits_and_last_use_in_further_lines(self, alice: User, log_in: LogIn) -> None:
        new_key(alice)
        ApiKey.objects.update(
            role="viewer", team=team_of(alice), last_used_at=Now(), last_used_from="192.0.2.7"
        )
        html = read(log_in(alice))
        assert '<div class="c-narrow c-small">may at most: Viewer in<bdi>Team of alice</bdi></div>' in html
        assert re.search(
            r'c-narrow c-small c-subtle">last used<time[^>]*>[^<]*</time>from 192.0.2.7</div>', html
        )

    def test_it_shows_neither_key_nor_digest(self, alice: User, log_in: LogIn) -> None:
        key = new_key(alice)
        html = read(log_in(alice))
        assert key not in html
        assert digest_key(key) not in html

    @pytest.mark.parametrize(("days", "word"), [(-1, "Ended"), (13, "Ends soon"), (15, "")])
    def test_it_says_which_keys_end(self, alice: User, log_in: LogIn, days: int, word: str) -> None:
        new_key(alice, days=days)
        html = read(log_in(alice))
        assert ("Ended" in html, "Ends soon" in html) == (word == "Ended", word == "Ends soon")

    def test_a_hostile_name_is_text(self, alice: User, log_in: LogIn) -> None:
        new_key(alice)
        ApiKey.objects.update(name="<script>alert(1)</script>")
        browser = log_in(alice)
        for address in (PAGE, f"/keys/{ApiKey.objects.get().pk}/revoke/"):
            html = read(browser, address)
            assert "&lt;script&gt;alert(1)" in html
            assert "<script>alert" not in html

    def test_it_needs_few_queries(
        self, alice: User, log_in: LogIn, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        for _ in range(5):
            new_key(alice)
        browser = log_in(alice)
        # The session, the person, the roles, the badge of the menu, the keys, the teams of the form.
        with django_assert_max_num_queries(6):
            browser.get(PAGE)

    def test_the_menu_leads_to_it(self, alice: User, log_in: LogIn) -> None:
        assert 'href="/keys/"' in read(log_in(alice), "/")


class TestMaking:
    def make(self, browser: Client, **form: object) -> str:
        answer = browser.post(PAGE, {"name": "Nightly report", "days": 30, **form})
        assert answer.status_code == 200
        assert "no-store" in answer["Cache-Control"]
        (key,) = re.findall(r'id="new-key"[^>]*value="([^"]+)"', answer.content.decode())
        return str(key)

    def test_the_new_key_is_shown_once(self, alice: User, log_in: LogIn) -> None:
        browser = log_in(alice)
        key = self.make(browser)
        assert use(key) == 200
        made = ApiKey.objects.get()
        assert (made.name, made.user, made.team, made.role) == ("Nightly report", alice, None, "")
        assert made.expires_at == made.created_at + timedelta(days=30)
        assert key not in read(browser)
        # Nor is it kept in the session.
        assert key not in str(dict(browser.session.items()))

    def test_ninety_days_are_chosen(self, alice: User, log_in: LogIn) -> None:
        assert '<option value="90" selected>' in read(log_in(alice))

    @pytest.mark.parametrize(
        "form",
        [{"name": ""}, {"name": "x" * 101}, {"name": "a\u202eb"}, {"days": 366}, {"days": ""}, {"days": "x"}],
    )
    def test_a_wrong_form_makes_none(self, alice: User, log_in: LogIn, form: dict[str, object]) -> None:
        answer = log_in(alice).post(PAGE, {"name": "Report", "days": 30, **form})
        assert answer.status_code == 422
        assert not ApiKey.objects.exists()

    def test_the_number_of_keys_is_limited(self, alice: User, log_in: LogIn) -> None:
        for _ in range(MAX_KEYS):
            new_key(alice)
        answer = log_in(alice).post(PAGE, {"name": "Report", "days": 30})
        assert answer.status_code == 422
        assert f"alice has {MAX_KEYS} API keys" in answer.content.decode()

    def test_a_key_does_not_open_the_page(self, alice: User) -> None:
        headers = {"Authorization": f"Bearer {new_key(alice)}"}
        answer = Client().post(PAGE, {"name": "Another", "days": 30}, headers=headers)
        assert answer.status_code == 302
        assert "/auth/login/" in answer["Location"]
        assert ApiKey.objects.count() == 1

    def test_a_form_without_its_csrf_token_makes_none(self, alice: User) -> None:
        browser = Client(enforce_csrf_checks=True)
        sign_in(browser, alice)
        assert browser.post(PAGE, {"name": "Report", "days": 30}).status_code == 403
        assert not ApiKey.objects.exists()

    def test_who_signed_in_long_ago_is_asked_again_and_then_gets_the_key(self, alice: User) -> None:
        alice.set_password("alice-password")
        alice.save()
        browser = Client(enforce_csrf_checks=True)
        sign_in(browser, alice)
        session = browser.session
        session[AUTHENTICATION_METHODS_SESSION_KEY] = [{"method": "password", "at": time.time() - 301}]
        session.save()

        def press(page: str, address: str, form: dict[str, object]) -> Any:
            (token,) = set(re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', read(browser, page)))
            return browser.post(address, {**form, "csrfmiddlewaretoken": token})

        answer = press(PAGE, PAGE, {"name": "Nightly report", "days": 30})
        again = answer["Location"]
        assert (answer.status_code, again) == (302, "/auth/reauthenticate/?next=%2Fkeys%2F")
        assert press(again, again, {"password": "wrong", "next": PAGE}).status_code == 200
        assert not ApiKey.objects.exists()
        answer = press(again, again, {"password": "alice-password", "next": PAGE})
        (key,) = re.findall(r'id="new-key"[^>]*value="([^"]+)"', answer.content.decode())
        assert use(str(key)) == 200
        assert "no-store" in answer["Cache-Control"]
        # The next one within five minutes is made at once.
        assert press(PAGE, PAGE, {"name": "Another", "days": 30}).status_code == 200
        assert ApiKey.objects.count() == 2

    def test_staff_without_rights_may_make_a_key_that_may_nothing(self, log_in: LogIn) -> None:
        key = self.make(log_in(staff("sam")))
        answer = Client().post(
            "/api/v1/accounts/batch/",
            {"operation": "sync", "filter": {}},
            content_type="application/json",
            headers={"Authorization": f"Bearer {key}"},
        )
        assert answer.status_code == 403


class TestTeams:
    @pytest.fixture
    def north(self, administrator: User) -> Team:
        return join(administrator, "North", Role.ADMINISTRATOR)

    def make(self, browser: Client, team: Team | None, **form: object) -> int:
        data = {"name": "Service", "days": 30, "owner": "me", "team": str(team.pk) if team else "", **form}
        return browser.post(PAGE, data).status_code

    def test_a_key_is_limited_to_a_team_and_a_role(
        self, administrator: User, north: Team, log_in: LogIn
    ) -> None:
        assert self.make(log_in(administrator), north, role="tokens") == 200
        made = ApiKey.objects.get()
        assert (made.user, made.team, made.role) == (administrator, north, "tokens")

    def test_an_administrator_makes_a_key_of_the_team(
        self, administrator: User, north: Team, log_in: LogIn
    ) -> None:
        browser = log_in(administrator)
        assert self.make(browser, north, role="viewer", owner="team") == 200
        made = ApiKey.objects.get()
        assert (made.user, made.team, made.created_by) == (None, north, administrator)
        html = read(browser)
        assert "Team’s" in html
        assert "North" in html

    @pytest.mark.parametrize("role", ["", "viewer"])
    def test_a_key_of_a_team_needs_team_and_role(
        self, administrator: User, north: Team, log_in: LogIn, role: str
    ) -> None:
        assert self.make(log_in(administrator), None if role else north, role=role, owner="team") == 422
        assert not ApiKey.objects.exists()

    def test_who_administers_only_another_team_makes_none_of_this_one(
        self, administrator: User, log_in: LogIn
    ) -> None:
        south = join(administrator, "South", Role.OPERATOR)
        assert self.make(log_in(administrator), south, role="viewer", owner="team") == 422
        assert not ApiKey.objects.exists()

    def test_a_role_above_the_own_is_refused(self, alice: User, log_in: LogIn) -> None:
        browser = log_in(alice)
        answer = browser.post(PAGE, {"name": "Report", "days": 30, "role": "administrator"})
        assert answer.status_code == 422
        assert "Nobody gives a key a role above their own." in answer.content.decode()

    def test_a_team_of_others_is_not_offered_and_not_taken(
        self, alice: User, north: Team, log_in: LogIn
    ) -> None:
        browser = log_in(alice)
        assert "North" not in read(browser)
        assert self.make(browser, north) == 422
        # Who manages no keys has no choice of whose a key is.
        assert 'name="owner"' not in read(browser)

    def test_keys_of_a_team_are_shown_to_its_administrators_alone(
        self, administrator: User, alice: User, north: Team, log_in: LogIn
    ) -> None:
        make_team_key(administrator, north, name="Service of North", role="viewer")
        key = ApiKey.objects.get()
        join(alice, "North", Role.OPERATOR)
        assert "Service of North" not in read(log_in(alice))
        assert log_in(alice).post(f"/keys/{key.pk}/revoke/").status_code == 404
        other = staff("otto")
        join(other, "North", Role.ADMINISTRATOR)
        browser = log_in(other)
        assert "Service of North" in read(browser)
        assert browser.post(f"/keys/{key.pk}/revoke/").status_code == 303
        assert not ApiKey.objects.exists()


class TestRevoking:
    def test_it_asks_first(self, alice: User, log_in: LogIn) -> None:
        key = new_key(alice)
        browser = log_in(alice)
        address = f"/keys/{ApiKey.objects.get().pk}/revoke/"
        assert "Revoke “A test”?" in read(browser, address)
        assert use(key) == 200
        answer = browser.post(address)
        assert (answer.status_code, answer["Location"]) == (303, PAGE)
        assert use(key) == 401
        assert "The key “A test” is revoked." in read(browser)

    @pytest.mark.parametrize("who", ["bob", "root"])
    def test_the_key_of_another_person_is_not_found(
        self, alice: User, bob: User, superuser: User, log_in: LogIn, who: str
    ) -> None:
        key = new_key(alice)
        browser = log_in(User.objects.get(username=who))
        address = f"/keys/{ApiKey.objects.get().pk}/revoke/"
        assert browser.get(address).status_code == 404
        assert browser.post(address).status_code == 404
        assert use(key) == 200

    def test_a_second_time_is_not_found(self, alice: User, log_in: LogIn) -> None:
        new_key(alice)
        browser = log_in(alice)
        address = f"/keys/{ApiKey.objects.get().pk}/revoke/"
        browser.post(address)
        assert browser.post(address).status_code == 404
