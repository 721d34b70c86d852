"""What the database refuses to store, and how rows are called."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.db import IntegrityError, models, transaction
from django.db.models import F
from django.utils import timezone

from tests.api_keys import new_key
from tests.teams import team_of
from tests.tokens.conftest import ConnectionFactory, new_connection
from tests.tokens.factories import new_refresh
from tokens.connect.links import make_connect_link
from tokens.models import (
    MAIN,
    Alert,
    AlertAddress,
    AlertDelivery,
    AlertTimes,
    ApiKey,
    AuditCheckpoint,
    AuditEntry,
    AuditMail,
    AuthorizationAttempt,
    Connection,
    ConnectionPeriod,
    ConnectLink,
    Event,
    Failure,
    Heartbeat,
    Invitation,
    Membership,
    MutedAlertKind,
    RenewalMail,
    SavedView,
    Team,
    TeamLogo,
    TokenRefresh,
    WaitingAlert,
    Watch,
    Webhook,
    WebhookDelivery,
)
from tokens.permissions import SYSTEM
from tokens.webhooks.manage import make_webhook, send_test

pytestmark = pytest.mark.django_db

MOMENT = datetime(2026, 8, 1, 12, 30, tzinfo=UTC)


def refused(constraint: str) -> Any:
    return pytest.raises(IntegrityError, match=constraint)


def test_a_team_has_a_name_of_its_own() -> None:
    Team.objects.create(name="North")
    with refused("one_team_per_name"), transaction.atomic():
        Team.objects.create(name="NORTH")
    with refused("team_has_a_name"):
        Team.objects.create(name="")


def test_a_saved_view_has_a_name_of_its_own_and_is_short(db: None) -> None:
    owner = User.objects.create_user("olga")
    team = team_of(owner)
    views = SavedView.objects
    views.create(user=owner, name="Peak")
    views.create(team=team, name="Peak")
    with refused("one_own_view_per_name"), transaction.atomic():
        views.create(user=owner, name="Peak")
    with refused("one_view_per_team_and_name"), transaction.atomic():
        views.create(team=team, name="Peak")
    with refused("saved_view_has_a_name"), transaction.atomic():
        views.create(user=owner, name="")
    for both in ({}, {"user": owner, "team": team}):
        with refused("saved_view_is_own_or_shared"), transaction.atomic():
            views.create(name="Other", **both)
    with refused("saved_view_is_short"), transaction.atomic():
        views.create(user=owner, name="Long", query="x" * 4_001)


def test_a_failure_lasts_once_for_each_subject(connect: ConnectionFactory) -> None:
    Failure.objects.create(kind="service", subject="worker", ended_at=MOMENT)
    Failure.objects.create(kind="service", subject="worker")
    with refused("one_lasting_failure_per_subject"), transaction.atomic():
        Failure.objects.create(kind="service", subject="worker")
    with refused("failure_kind_is_known"), transaction.atomic():
        Failure.objects.create(kind="weather", subject="rain")
    with refused("failure_of_a_login_has_a_connection"), transaction.atomic():
        Failure.objects.create(kind="login", subject="1")
    with refused("failure_of_a_login_has_a_connection"):
        Failure.objects.create(kind="service", subject="queue", connection=connect())


def test_the_watch_is_one_row() -> None:
    with refused("one_watch"):
        Watch.objects.create(pk=2)


def test_a_team_logo_is_small() -> None:
    logo = TeamLogo.objects.create(team=Team.objects.get(), png=b"x" * 262_144)
    assert str(logo) == "Logo of Main"
    with refused("team_logo_is_small"):
        TeamLogo.objects.update(png=b"x" * 262_145)


def test_the_mail_of_the_audit_trail_is_one_row() -> None:
    with refused("audit_has_one_mail"):
        AuditMail.objects.create(pk=2, mailed_at=MOMENT)


class TestMembership:
    @pytest.mark.parametrize(
        ("changes", "constraint"),
        [
            ({"role": "owner"}, "membership_role_is_known"),
            ({"source": "mail"}, "membership_source_is_known"),
        ],
    )
    def test_an_unknown_word_is_refused(self, alice: User, changes: dict[str, str], constraint: str) -> None:
        with refused(constraint):
            Membership.objects.filter(user=alice).update(**changes)

    def test_a_person_has_one_role_in_a_team(self, alice: User) -> None:
        with refused("one_membership_per_team_and_person"):
            Membership.objects.create(team=team_of(alice), user=alice, role="viewer")

    def test_a_team_with_connections_cannot_be_deleted(self, connect: ConnectionFactory) -> None:
        with pytest.raises(models.ProtectedError):
            connect().team.delete()

    def test_it_is_called_by_its_person_and_team(self, alice: User) -> None:
        assert str(Membership.objects.get(user=alice)) == "alice in Team of alice"


class TestInvitation:
    @pytest.mark.parametrize(
        ("changes", "constraint"),
        [
            ({"role": "tokens"}, "invitation_role_is_known"),
            ({"mailed_at": timezone.now()}, "mailed_invitation_has_a_digest"),
        ],
    )
    def test_what_it_cannot_be_is_refused(
        self, alice: User, changes: dict[str, Any], constraint: str
    ) -> None:
        values = {"team": team_of(alice), "email": "nina@example.com", "role": "viewer", "ends_at": MOMENT}
        Invitation.objects.create(**values)
        with refused(constraint), transaction.atomic():
            Invitation.objects.update(**changes)
        with refused("one_invitation_per_team_and_address"):
            Invitation.objects.create(**values | {"email": "Nina@EXAMPLE.com"})

    def test_it_is_called_by_its_team_alone(self, alice: User) -> None:
        invitation = Invitation(team=team_of(alice), email="nina@example.com")
        assert str(invitation) == "Invitation to Team of alice"


class TestConnection:
    @pytest.mark.parametrize(
        ("changes", "constraint"),
        [
            ({"state": "sleeping"}, "connection_state_is_known|only_active_connections_are_due"),
            ({"refresh_token": None}, "active_connection_has_refresh_token"),
            ({"state": "disconnected", "next_refresh_at": None}, "disconnected_connection_has_no_tokens"),
            ({"expires_at": None}, "access_token_has_an_expiry"),
            ({"state": "reauthorization_required"}, "only_active_connections_are_due"),
            ({"regions": []}, "connection_regions_are_known"),
            ({"regions": ["NA", "XX"]}, "connection_regions_are_known"),
            ({"grant_version": 0}, "connection_counts_are_not_negative"),
            ({"forgotten_at": timezone.now()}, "forgotten_connection_names_nobody"),
        ],
    )
    def test_a_state_that_contradicts_itself_is_refused(
        self, connect: ConnectionFactory, changes: dict[str, Any], constraint: str
    ) -> None:
        connect()
        with refused(constraint):
            Connection.objects.update(**changes)

    def test_a_team_has_one_connection_of_a_login(self, connect: ConnectionFactory) -> None:
        connect(amazon_user_id="7")
        with refused("one_connection_per_team_client_and_login"):
            connect(amazon_user_id="7")

    def test_connections_of_unknown_logins_may_be_many(self, connect: ConnectionFactory) -> None:
        connect(amazon_user_id=None)
        connect(amazon_user_id=None)

    def test_a_person_with_connections_cannot_be_deleted(self, connect: ConnectionFactory) -> None:
        with pytest.raises(models.ProtectedError):
            connect().owner.delete()

    @pytest.mark.parametrize(
        ("fields", "name"),
        [
            ({}, ""),
            ({"amazon_user_id": "7"}, "7"),
            ({"amazon_user_id": "7", "amazon_user_name": "Bob"}, "Bob"),
            ({"amazon_user_name": "Bob", "amazon_user_email": "bob@example.test"}, "bob@example.test"),
        ],
    )
    def test_a_login_is_called_by_what_people_know_best(self, fields: dict[str, str], name: str) -> None:
        assert Connection(**fields).amazon_user == name

    @pytest.mark.parametrize(
        ("consented_at", "ends"),
        [
            (None, None),
            (datetime(2025, 12, 31, 23, 59, tzinfo=UTC), None),
            (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 31, tzinfo=UTC)),
        ],
    )
    def test_a_consent_ends_if_it_is_younger_than_the_rule(
        self, settings: LazySettings, consented_at: datetime | None, ends: datetime | None
    ) -> None:
        settings.CONSENT_DAYS = 30
        settings.CONSENT_EFFECTIVE_DATE = datetime(2026, 1, 1, tzinfo=UTC).date()
        assert Connection(consented_at=consented_at).consent_ends_at == ends


class TestRefresh:
    def test_a_connection_has_one_open_refresh(self, connect: ConnectionFactory) -> None:
        connection = connect()
        new_refresh(connection, None)
        new_refresh(connection, "succeeded")
        with refused("one_open_refresh_per_connection"):
            new_refresh(connection, None)

    @pytest.mark.parametrize(
        ("changes", "constraint"),
        [
            ({"outcome": None}, "closed_refresh_has_an_outcome"),
            ({"finished_at": None}, "closed_refresh_has_an_outcome"),
            ({"finished_at": MOMENT}, "refresh_ends_after_it_began"),
            ({"trigger": "whim"}, "refresh_trigger_is_known"),
        ],
    )
    def test_a_refresh_that_contradicts_itself_is_refused(
        self, connect: ConnectionFactory, changes: dict[str, Any], constraint: str
    ) -> None:
        new_refresh(connect())
        with refused(constraint):
            TokenRefresh.objects.update(**changes)


def test_a_sent_alert_is_not_due() -> None:
    alert = Alert.objects.create(kind="connection_broken", key="1", text="It broke.")
    with refused("sent_alert_is_not_due"):
        Alert.objects.filter(pk=alert.pk).update(sent_at=timezone.now())


def test_an_alert_is_about_one_thing(connect: ConnectionFactory) -> None:
    connection = connect()
    new_key(connection.owner)
    with refused("alert_is_about_one_thing"):
        Alert.objects.create(
            kind="connection_broken", key="1", text="", connection=connection, api_key=ApiKey.objects.get()
        )


@pytest.mark.parametrize(
    ("constraint", "fields"),
    [
        ("webhook_asks_for_events", {"events": []}),
        ("old_webhook_secret_ends", {"old_secret_ends_at": MOMENT}),
        ("active_webhook_is_not_switched_off", {"switched_off_at": MOMENT}),
    ],
)
def test_a_webhook_is_whole(db: None, constraint: str, fields: dict[str, Any]) -> None:
    webhook, _ = make_webhook(SYSTEM, Team.objects.get(), url="https://hooks.example.com/", events=["*"])
    with refused(constraint):
        Webhook.objects.filter(pk=webhook.pk).update(**fields)


@pytest.mark.parametrize(
    ("constraint", "fields"),
    [
        ("connect_link_ends_in_time", {"ends_at": F("created_at") + timedelta(days=30, seconds=1)}),
        ("used_connect_link_has_a_connection", {"used_at": MOMENT}),
        ("mailed_connect_link_has_a_digest", {"mailed_at": MOMENT}),
        ("connect_link_regions_are_known", {"regions": []}),
        ("connect_link_language_is_known", {"language": "xx"}),
    ],
)
def test_a_client_link_is_whole(alice: User, constraint: str, fields: dict[str, Any]) -> None:
    link, _ = make_connect_link(SYSTEM, Team.objects.get(name=MAIN), label="Copperleaf", owner=alice)
    assert str(link) == "Client link of Main"
    with refused(constraint):
        ConnectLink.objects.filter(pk=link.pk).update(**fields)


def test_a_used_client_link_is_not_revoked(connect: ConnectionFactory) -> None:
    connection = connect()
    link, _ = make_connect_link(SYSTEM, connection.team, label="Copperleaf", owner=connection.owner)
    used = {"used_at": MOMENT, "connected": connection, "browser_digest": "x"}
    with refused("used_connect_link_is_not_revoked"):
        ConnectLink.objects.filter(pk=link.pk).update(**used, revoked_at=MOMENT)


def test_a_person_gets_one_renewal_mail_a_day_with_one_link_for_each_login(
    connect: ConnectionFactory,
) -> None:
    connection = connect()
    mail = RenewalMail.objects.create(address_digest="a", day=MOMENT.date())
    assert str(mail) == f"Mail with renewal links of {MOMENT.date()}"
    with refused("one_renewal_mail_per_address_and_day"), transaction.atomic():
        RenewalMail.objects.create(address_digest="a", day=MOMENT.date())
    for _ in range(2):
        make_connect_link(
            SYSTEM, connection.team, label="x", connection=connection, owner=connection.owner, mailing=uuid4()
        )
    with refused("one_link_per_renewal_mail_and_connection"):
        ConnectLink.objects.update(mail=mail)


@pytest.mark.parametrize(
    ("constraint", "fields"),
    [
        ("renewal_mail_is_started_before_it_is_sent", {"mailed_at": MOMENT}),
        (
            "renewal_mail_is_sent_after_it_was_started",
            {"mailed_at": MOMENT, "started_at": MOMENT + timedelta(seconds=1)},
        ),
    ],
)
def test_a_renewal_mail_is_whole(db: None, constraint: str, fields: dict[str, Any]) -> None:
    with refused(constraint):
        RenewalMail.objects.create(address_digest="a", day=MOMENT.date(), **fields)


def test_only_a_waiting_delivery_is_tried(db: None) -> None:
    webhook, _ = make_webhook(SYSTEM, Team.objects.get(), url="https://hooks.example.com/", events=["*"])
    assert str(webhook) == "Webhook of Main"
    delivery = send_test(SYSTEM, webhook)
    assert str(delivery) == f"{delivery.event_id} to {webhook.pk}"
    with refused("only_a_waiting_delivery_is_tried"):
        WebhookDelivery.objects.filter(pk=delivery.pk).update(state="failed")


def test_an_event_type_is_an_object_and_a_verb(db: None) -> None:
    event = Event.objects.create(team=Team.objects.get(), type="sync.ended", object_id=uuid4(), data={})
    assert str(event) == f"sync.ended {event.object_id}"
    with refused("event_type_is_an_object_and_a_verb"):
        Event.objects.filter(pk=event.pk).update(type="ended")


def test_an_alert_is_about_a_key_that_there_is(db: None) -> None:
    with refused("alert_ends_with_its_api_key"):
        Alert.objects.create(kind="api_key_ending", key="1", text="", api_key_id=uuid4())


def test_a_recipient_takes_a_message_once(db: None) -> None:
    message_id = uuid4()
    taken = AlertDelivery.objects.create(message_id=message_id, recipient="person:1")
    assert str(taken) == f"{message_id} to person:1"
    with refused("recipient_takes_a_message_once"):
        AlertDelivery.objects.create(message_id=message_id, recipient="person:1")


def test_an_address_for_alerts_has_a_name_of_its_own(alice: User) -> None:
    team = team_of(alice)
    address = AlertAddress.objects.create(team=team, name="Channel", service="Slack", address="x")
    assert str(address) == "Slack: Channel"
    for name, constraint in (
        ("channel", "one_alert_address_per_team_and_name"),
        ("", "alert_address_has_a_name"),
    ):
        with refused(constraint), transaction.atomic():
            AlertAddress.objects.create(team=team, name=name, service="Slack", address="x")


def test_a_person_mutes_a_kind_once(db: None) -> None:
    bob = User.objects.create_user("bob")
    muted = MutedAlertKind.objects.create(user=bob, kind="consent_ending")
    assert str(muted) == "consent_ending for bob"
    with refused("person_mutes_a_kind_once"):
        MutedAlertKind.objects.create(user=bob, kind="consent_ending")


def test_the_state_of_a_period_is_known(connect: ConnectionFactory) -> None:
    connect()
    with refused("period_state_is_known"):
        ConnectionPeriod.objects.update(state="lost")


def test_undelivered_alerts_were_tried_and_failed() -> None:
    due = timezone.now() + timedelta(minutes=1)
    histories: dict[str, dict[str, Any]] = {
        "new": {},
        "failed": {"error": "No room."},
        "given up": {"error": "No room.", "next_try_at": None},
    }
    for key, fields in histories.items():
        Alert.objects.create(kind="connection_broken", key=key, text="", **{"next_try_at": due, **fields})
    assert [alert.key for alert in Alert.objects.undelivered()] == ["failed"]


def test_rows_say_what_they_are(settings: LazySettings) -> None:
    connection = new_connection(User.objects.create_user("bob"), settings, "Atzr|x", label="Garden shop")
    assert str(connection) == "Garden shop"
    refresh = TokenRefresh(connection=connection, started_at=MOMENT)
    assert str(refresh) == f"{connection.pk} 2026-08-01 12:30 UTC running"
    assert str(AuditEntry(action="batch.start", object_type="batch", object_id="7")) == "batch.start batch 7"
    assert str(AuditCheckpoint(number=7)) == "7"
    assert str(AuditMail(mailed_at=MOMENT)) == "2026-08-01 12:30:00+00:00"
    attempt = AuthorizationAttempt(user=connection.owner, created_at=MOMENT)
    assert str(attempt) == f"{connection.owner_id} 2026-08-01 12:30 UTC"
    assert str(Heartbeat(kind="worker", host="one", pid=7)) == "worker one:7"
    assert str(Alert(text="It broke.")) == "It broke."


def test_ids_grow_with_time(connect: ConnectionFactory) -> None:
    first, second = connect(), connect()
    assert first.pk < second.pk


def test_times_of_alerts_make_sense(alice: User, connect: ConnectionFactory) -> None:
    seven, ten = time(7), time(22)
    wrong: dict[str, dict[str, Any]] = {
        "quiet_hours_begin_and_end": {"quiet_from": ten},
        "daily_mail_has_a_next_time": {"digest_at": seven},
        "mail_of_alerts_has_an_end": {"message_id": uuid4()},
    }
    for name, fields in wrong.items():
        with refused(name), transaction.atomic():
            AlertTimes.objects.create(user=alice, zone="UTC", **fields)
    with refused("quiet_hours_begin_and_end"), transaction.atomic():
        AlertTimes.objects.create(user=alice, zone="UTC", quiet_from=ten, quiet_until=ten)
    alert = Alert.objects.create(kind="connection_broken", key="1", text="", connection=connect())
    WaitingAlert.objects.create(user=alice, alert=alert)
    with refused("alert_waits_once_for_a_person"):
        WaitingAlert.objects.create(user=alice, alert=alert)
