"""The pages about alerts: a person's own choice, and the addresses of a team."""

from datetime import time
from html import unescape

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.test import Client

from tests.teams import set_role, team_of
from tokens.alerts.choices import list_chosen_kinds, list_kinds
from tokens.alerts.times import Times, read_times
from tokens.models import Alert, AlertAddress
from tokens.people.roles import Role

pytestmark = pytest.mark.django_db

SLACK = "slack://T1234ABCD/B1234ABCD/abcdefghijklmnopqrstuvwx"
NO_MAIL = "You get no mail about alerts"


@pytest.fixture
def person() -> User:
    user = User.objects.create_user("amy", "amy@example.test", is_staff=True)
    team_of(user)
    return user


def read(client: Client) -> str:
    return " ".join(unescape(client.get("/auth/alerts/").content.decode()).split())


class TestOwnChoice:
    def test_the_page_shows_and_stores_the_choice(self, client: Client, person: User) -> None:
        client.force_login(person)
        page = read(client)
        assert NO_MAIL not in page
        assert "Mail goes to amy@example.test." in page
        assert page.count("checked") == page.count('type="checkbox"') == len(list_kinds(person))
        answer = client.post("/auth/alerts/", {"kinds": ["connection_broken", "consent_ending"]})
        assert (answer.status_code, answer["Location"]) == (303, "/auth/alerts/")
        assert list_chosen_kinds(person) == [Alert.Kind.CONNECTION_BROKEN, Alert.Kind.CONSENT_ENDING]
        assert read(client).count("checked") == 2

    def test_the_page_stores_times_in_the_zone_of_the_browser(self, client: Client, person: User) -> None:
        client.force_login(person)
        client.cookies["zone"] = "Europe/Berlin"
        assert "The times are times in Europe/Berlin." in read(client)
        times = {"quiet_from": "22:00", "quiet_until": "07:00", "digest_at": "08:30"}
        assert client.post("/auth/alerts/", times).status_code == 303
        assert read_times(person) == Times(time(22), time(7), time(8, 30), "Europe/Berlin")
        assert 'value="22:00"' in read(client)
        client.cookies["zone"] = "Asia/Tokyo"
        assert "These are times in Europe/Berlin. When you save, they become times in Asia/Tokyo" in read(
            client
        )

    @pytest.mark.parametrize(
        "times",
        [{"quiet_from": "22:00"}, {"quiet_from": "7:00", "quiet_until": "07:00"}, {"digest_at": "25:00"}],
    )
    def test_times_that_make_no_sense_are_refused(
        self, client: Client, person: User, times: dict[str, str]
    ) -> None:
        client.force_login(person)
        assert client.post("/auth/alerts/", times).status_code == 422
        assert list_chosen_kinds(person) == list_kinds(person)
        assert read_times(person) == Times()

    def test_a_kind_that_is_not_offered_is_refused(self, client: Client, person: User) -> None:
        client.force_login(person)
        assert client.post("/auth/alerts/", {"kinds": ["application_refused"]}).status_code == 422
        assert list_chosen_kinds(person) == list_kinds(person)

    def test_it_says_why_there_is_no_mail(self, client: Client, person: User, settings: LazySettings) -> None:
        User.objects.update(is_staff=False)
        client.force_login(person)
        assert f"{NO_MAIL}: you may not open the console." in read(client)
        User.objects.update(email="")
        assert f"{NO_MAIL}: you have no e-mail address here." in read(client)
        settings.MAIL_ALERTS = False
        assert f"{NO_MAIL}: this console sends its alerts to other addresses" in read(client)


class TestAddresses:
    @pytest.fixture(autouse=True)
    def administer(self, client: Client, person: User) -> None:
        set_role(person, Role.ADMINISTRATOR)
        client.force_login(person)

    def test_an_address_is_added_shown_masked_and_removed(self, client: Client, person: User) -> None:
        team = team_of(person)
        page = f"/teams/{team.pk}/alerts/"
        assert f'href="{page}"' in client.get("/teams/").content.decode()
        answer = client.post(page, {"name": "Channel", "address": SLACK}, follow=True)
        html = answer.content.decode()
        assert answer.redirect_chain == [(page, 303)]
        assert "Channel" in html
        assert "********" in html
        assert "T1234ABCD" not in html
        address = AlertAddress.objects.get()
        assert client.post(f"{page}{address.pk}/remove/").status_code == 303
        assert not AlertAddress.objects.exists()

    def test_a_mistake_is_explained_and_the_address_is_not_repeated(
        self, client: Client, person: User
    ) -> None:
        answer = client.post(
            f"/teams/{team_of(person).pk}/alerts/",
            {"name": "Channel", "address": "json://user:hunter2@10.0.0.1/"},
        )
        html = answer.content.decode()
        assert answer.status_code == 422
        assert "It must be the webhook of one of these services" in html
        assert "hunter2" not in html
        assert not AlertAddress.objects.exists()
