"""Who gets which alerts by mail, and that a message names nothing of another team."""

from collections.abc import Callable
from smtplib import SMTPRecipientsRefused
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.utils import timezone

from tests.api_keys import new_key
from tests.teams import join
from tests.tokens.alerts.test_alerts import let_claims_run_out
from tests.tokens.conftest import ConnectionFactory
from tokens.alerts import create as alerts
from tokens.alerts import delivery
from tokens.alerts.choices import choose_alerts, list_kinds
from tokens.models import Alert, AlertDelivery, ApiKey, Team
from tokens.people.keys import make_team_key
from tokens.people.roles import Role

pytestmark = pytest.mark.django_db(transaction=True)

MODULE = "tests.tokens.alerts.test_recipients"
Person = Callable[..., User]


class RefusingBackend(EmailBackend):
    """Refuses mail for bob, and names his address."""

    def send_messages(self, messages: Any) -> int:
        (message,) = messages
        if message.to == ["bob@example.test"]:
            raise SMTPRecipientsRefused({"Bob@example.test": (550, b"unknown")})
        return super().send_messages(messages)


class DyingAtTheSecondBackend(EmailBackend):
    """Takes one message, and ends the process at the next one."""

    def send_messages(self, messages: Any) -> int:
        if mail.outbox:
            raise KeyboardInterrupt
        return super().send_messages(messages)


@pytest.fixture
def person(db: None) -> Person:
    """person("bob", "North", Role.VIEWER): somebody with an e-mail address, in this team."""

    def make(name: str, team: str = "", role: Role = Role.VIEWER, **fields: Any) -> User:
        user = User.objects.create_user(name, **{"email": f"{name}@example.test", "is_staff": True, **fields})
        if team:
            join(user, team, role)
        return user

    return make


def team_named(name: str) -> Team:
    return Team.objects.get_or_create(name=name)[0]


def mute(user: User, kind: Alert.Kind) -> None:
    choose_alerts(user, [each for each in list_kinds(user) if each != kind])


def send() -> dict[str, str]:
    """Send what is due; return the text of the mail for each person."""
    mail.outbox.clear()
    delivery.send_due_alerts()
    assert all(len(message.to) == 1 for message in mail.outbox)
    return {message.to[0].partition("@")[0]: str(message.body) for message in mail.outbox}


class TestConnection:
    def test_those_who_may_see_it_get_mail(self, connect: ConnectionFactory, person: Person) -> None:
        for role in Role:
            person(role.value, "North", role)
        person("root", is_superuser=True)
        person("other", "South", Role.ADMINISTRATOR)
        person("outsider")
        alerts.alert_connection_broken(connect(team=team_named("North")))
        assert set(send()) == {"viewer", "operator", "administrator", "root"}

    def test_people_who_cannot_sign_in_get_nothing(self, connect: ConnectionFactory, person: Person) -> None:
        person("here", "North")
        person("gone", "North", is_active=False)
        person("root", is_superuser=True, is_active=False)
        person("guest", "North", is_staff=False)
        person("silent", "North", email="")
        alerts.alert_connection_broken(connect(team=team_named("North")))
        assert set(send()) == {"here"}

    def test_who_left_the_team_gets_no_later_alert(self, connect: ConnectionFactory, person: Person) -> None:
        person("stays", "North")
        bob = person("bob", "North")
        bob.memberships.all().delete()
        alerts.alert_connection_broken(connect(team=team_named("North")))
        assert set(send()) == {"stays"}

    def test_an_alert_follows_a_connection_that_moved(
        self, connect: ConnectionFactory, person: Person
    ) -> None:
        person("north", "North")
        person("south", "South")
        connection = connect(team=team_named("North"))
        alerts.alert_connection_broken(connection)
        connection.team = team_named("South")
        connection.save(update_fields=["team"])
        assert set(send()) == {"south"}


class TestSplitting:
    def test_each_person_reads_only_about_their_own_teams(
        self, connect: ConnectionFactory, person: Person
    ) -> None:
        for number in range(12):
            alerts.alert_connection_broken(connect(label=f"North {number}.", team=team_named("North")))
        for number in range(3):
            alerts.alert_connection_broken(connect(label=f"South {number}.", team=team_named("South")))
        person("north", "North")
        person("south", "South")
        both = person("both", "North")
        join(both, "South", Role.VIEWER)
        person("root", is_superuser=True)
        texts = send()
        assert set(texts) == {"north", "south", "both", "root"}
        assert "South" not in texts["north"]
        assert texts["north"].count("“North ") == 10
        assert "And 2 more." in texts["north"]
        assert "North" not in texts["south"]
        assert texts["south"].count("“South ") == 3
        assert "more." not in texts["south"]
        for name in ("both", "root"):
            assert "And 5 more." in texts[name]
        subjects = {message.to[0]: message.subject for message in mail.outbox}
        assert subjects["north@example.test"] == "Amazon refuses 12 logins"
        assert subjects["south@example.test"] == "Amazon refuses 3 logins"
        assert subjects["root@example.test"] == "Amazon refuses 15 logins"

    def test_an_error_is_shown_to_those_whom_it_concerns(
        self, connect: ConnectionFactory, person: Person, settings: LazySettings
    ) -> None:
        alerts.alert_connection_broken(connect(label="North", team=team_named("North")))
        alerts.alert_connection_broken(connect(label="South", team=team_named("South")))
        person("amy", "North")
        person("bob", "South")
        settings.EMAIL_BACKEND = f"{MODULE}.RefusingBackend"
        assert set(send()) == {"amy"}
        north, south = Alert.objects.order_by("text")
        assert (north.error, north.next_try_at) == ("", None)
        assert north.sent_at is not None
        assert "SMTPRecipientsRefused" in south.error
        assert "bob" not in south.error.lower()
        # The next try is for those who have not taken it.
        settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
        let_claims_run_out()
        assert set(send()) == {"bob"}
        assert not delivery.due_alerts_exist()

    def test_who_has_taken_a_message_does_not_get_it_again_after_a_kill(
        self, connect: ConnectionFactory, person: Person, settings: LazySettings
    ) -> None:
        alerts.alert_connection_broken(connect(team=team_named("North")))
        for name in ("amy", "bob", "cid"):
            person(name, "North")
        settings.EMAIL_BACKEND = f"{MODULE}.DyingAtTheSecondBackend"
        with pytest.raises(KeyboardInterrupt):
            delivery.send_due_alerts()
        assert [message.to for message in mail.outbox] == [["amy@example.test"]]
        settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
        let_claims_run_out()
        assert set(send()) == {"bob", "cid"}
        assert AlertDelivery.objects.count() == 3

    def test_an_alert_that_nobody_could_get_waits_for_somebody(
        self, connect: ConnectionFactory, person: Person
    ) -> None:
        alerts.alert_connection_broken(connect(label="North", team=team_named("North")))
        alerts.alert_connection_broken(connect(label="South", team=team_named("South")))
        amy = person("amy", "North")
        assert set(send()) == {"amy"}
        waiting = Alert.objects.get(sent_at=None)
        assert "South" in waiting.text
        assert "Nobody who may see it has an e-mail address" in waiting.error
        # She has taken the message with the other alert.
        join(amy, "South", Role.VIEWER)
        let_claims_run_out()
        Alert.objects.exclude(sent_at=None).update(
            sent_at=timezone.now() - delivery.QUIET, told_at=timezone.now() - delivery.QUIET
        )
        assert "South" in send()["amy"]


class TestOthers:
    def test_alerts_about_the_installation_go_to_superusers(self, person: Person) -> None:
        person("administrator", "North", Role.ADMINISTRATOR)
        person("root", is_superuser=True)
        alerts.create_alert(Alert.Kind.APPLICATION_REFUSED, "1", "Refused.")
        assert set(send()) == {"root"}

    def test_an_alert_about_a_key_goes_to_its_owner(self, person: Person) -> None:
        owner = person("owner", "North")
        person("colleague", "North", Role.ADMINISTRATOR)
        person("root", is_superuser=True)
        new_key(owner)
        alerts.create_alert(Alert.Kind.API_KEY_ENDING, "1", "It ends.", api_key=ApiKey.objects.get())
        assert set(send()) == {"owner"}

    def test_an_alert_about_a_key_of_a_team_goes_to_its_administrators(self, person: Person) -> None:
        maker = person("maker", "North", Role.ADMINISTRATOR)
        person("second", "North", Role.ADMINISTRATOR)
        person("operator", "North", Role.OPERATOR)
        person("other", "South", Role.ADMINISTRATOR)
        person("root", is_superuser=True)
        key, _ = make_team_key(maker, team_named("North"), name="Report", role="viewer")
        alerts.create_alert(Alert.Kind.API_KEY_ENDING, "1", "It ends.", api_key=key)
        assert set(send()) == {"maker", "second"}

    def test_an_alert_about_a_key_whose_owner_has_no_address_goes_to_superusers(self, person: Person) -> None:
        new_key(person("owner", "North", email=""))
        person("colleague", "North", Role.ADMINISTRATOR)
        person("root", is_superuser=True)
        alerts.create_alert(Alert.Kind.API_KEY_ENDING, "1", "It ends.", api_key=ApiKey.objects.get())
        assert set(send()) == {"root"}

    def test_no_message_is_sent_without_an_alert(self, person: Person) -> None:
        person("root", is_superuser=True)
        assert send() == {}


class TestChoice:
    def test_who_has_turned_off_a_kind_gets_no_mail_about_it(
        self, connect: ConnectionFactory, person: Person
    ) -> None:
        mute(person("bob", "North"), Alert.Kind.CONNECTION_BROKEN)
        person("amy", "North")
        connection = connect(team=team_named("North"))
        alerts.alert_connection_broken(connection)
        alerts.alert_connection_healed(connection)
        delivery.send_due_alerts()
        assert [(message.to, message.subject) for message in mail.outbox] == [
            (["amy@example.test"], "Amazon refuses a login"),
            (["amy@example.test"], "A login is connected again"),
            (["bob@example.test"], "A login is connected again"),
        ]

    def test_an_alert_that_nobody_wants_is_not_sent_and_is_no_failure(
        self, connect: ConnectionFactory, person: Person
    ) -> None:
        mute(person("bob", "North"), Alert.Kind.CONNECTION_BROKEN)
        person("silent", "North", email="")
        alerts.alert_connection_broken(connect(label="North", team=team_named("North")))
        alerts.alert_connection_broken(connect(label="South", team=team_named("South")))
        person("sue", "South")
        assert set(send()) == {"sue"}
        unwanted = Alert.objects.get(text__contains="North")
        assert (unwanted.next_try_at, unwanted.sent_at, unwanted.error) == (None, None, "")
        assert not delivery.due_alerts_exist()

    def test_an_alert_about_a_key_whose_owner_wants_none_goes_to_nobody(self, person: Person) -> None:
        owner = person("owner", "North")
        person("root", is_superuser=True)
        mute(owner, Alert.Kind.API_KEY_ENDING)
        new_key(owner)
        alerts.create_alert(Alert.Kind.API_KEY_ENDING, "1", "It ends.", api_key=ApiKey.objects.get())
        assert send() == {}
        assert not delivery.due_alerts_exist()


class TestVisibility:
    def test_people_see_the_alerts_about_their_own_keys(self, person: Person) -> None:
        owner, colleague = person("owner", "North"), person("colleague", "North")
        new_key(owner)
        alerts.create_alert(Alert.Kind.API_KEY_ENDING, "1", "It ends.", api_key=ApiKey.objects.get())
        assert Alert.objects.visible_to(owner).exists()
        assert not Alert.objects.visible_to(colleague).exists()
        assert Alert.objects.visible_to(person("root", is_superuser=True)).exists()

    def test_administrators_see_the_alerts_about_the_keys_of_their_team(self, person: Person) -> None:
        maker = person("maker", "North", Role.ADMINISTRATOR)
        key, _ = make_team_key(maker, team_named("North"), name="Report", role="viewer")
        alerts.create_alert(Alert.Kind.API_KEY_ENDING, "1", "It ends.", api_key=key)
        assert Alert.objects.visible_to(maker).exists()
        assert not Alert.objects.visible_to(person("operator", "North", Role.OPERATOR)).exists()
        assert not Alert.objects.visible_to(person("other", "South", Role.ADMINISTRATOR)).exists()
