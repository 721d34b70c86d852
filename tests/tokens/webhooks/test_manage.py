"""Making, changing, testing and deleting webhooks."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection as database
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from tests.teams import set_role, team_of
from tests.tokens.conftest import ConnectionFactory
from tokens.key_rotation import rotate
from tokens.models import AuditEntry, Event, Webhook, WebhookDelivery
from tokens.people.roles import Role
from tokens.permissions import SYSTEM
from tokens.webhooks.events import record_connection_event
from tokens.webhooks.manage import (
    MAX_WEBHOOKS,
    StillWaitingError,
    WebhookOffError,
    delete_webhook,
    make_webhook,
    redeliver,
    rotate_secret,
    send_test,
    update_webhook,
)
from tokens.webhooks.placing import place_events

pytestmark = pytest.mark.django_db

URL = "https://hooks.example.com/amazon?key=hunter2"


def test_the_secret_is_shown_once_and_stored_encrypted(administrator: User) -> None:
    webhook, secret = make_webhook(administrator, team_of(administrator), url=URL, events=["sync.ended"])
    assert secret.startswith("whsec_")
    stored = Webhook.objects.get()
    assert stored.secret is not None
    assert stored.secret.reveal() == secret
    with database.cursor() as cursor:
        cursor.execute("SELECT secret FROM tokens_webhook")
        assert secret[6:] not in cursor.fetchone()[0]
    assert secret not in f"{webhook!r} {webhook.secret!r} {vars(webhook)}"


def test_no_entry_of_the_audit_trail_has_the_secret_or_the_path_of_the_address(administrator: User) -> None:
    webhook, secret = make_webhook(administrator, team_of(administrator), url=URL, events=["*"])
    new = rotate_secret(administrator, webhook)
    update_webhook(administrator, webhook, url=f"{URL}2")
    delete_webhook(administrator, webhook)
    said = str(list(AuditEntry.objects.values()))
    assert "hooks.example.com" in said
    assert not any(word in said for word in (secret, new, "hunter2"))


@pytest.mark.parametrize("events", [[], ["account.sold"], ["webhook.test"], ["sync.ended", "x"]])
def test_unknown_events_are_refused(administrator: User, events: list[str]) -> None:
    with pytest.raises(ValidationError) as raised:
        make_webhook(administrator, team_of(administrator), url=URL, events=events)
    assert set(raised.value.message_dict) == {"events"}


@pytest.mark.parametrize("url", ["http://hooks.example.com/", "https://127.0.0.1/", f"{URL}{'x' * 1000}"])
def test_an_unsafe_address_is_refused(administrator: User, url: str) -> None:
    webhook, _ = make_webhook(administrator, team_of(administrator), url=URL, events=["*"])
    for attempt in (
        lambda: make_webhook(administrator, team_of(administrator), url=url, events=["*"]),
        lambda: update_webhook(administrator, webhook, url=url),
    ):
        with pytest.raises(ValidationError) as raised:
            attempt()
        assert set(raised.value.message_dict) == {"url"}


def test_a_team_has_a_limited_number_of_webhooks(administrator: User) -> None:
    for _ in range(MAX_WEBHOOKS):
        make_webhook(administrator, team_of(administrator), url=URL, events=["*"])
    with pytest.raises(ValidationError, match="Delete one"):
        make_webhook(administrator, team_of(administrator), url=URL, events=["*"])


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_only_administrators_manage_webhooks(alice: User, role: Role) -> None:
    webhook, _ = make_webhook(SYSTEM, team_of(alice), url=URL, events=["*"])
    delivery = send_test(SYSTEM, webhook)
    person = set_role(alice, role)
    deeds: list[Any] = [
        lambda: make_webhook(person, webhook.team, url=URL, events=["*"]),
        lambda: update_webhook(person, webhook, is_active=False),
        lambda: delete_webhook(person, webhook),
        lambda: rotate_secret(person, webhook),
        lambda: send_test(person, webhook),
        lambda: redeliver(person, delivery),
    ]
    for deed in deeds:
        with pytest.raises(PermissionDenied):
            deed()


def test_a_change_that_changes_nothing_writes_no_entry(administrator: User) -> None:
    webhook, _ = make_webhook(administrator, team_of(administrator), url=URL, events=["*"])
    before = AuditEntry.objects.count()
    assert not update_webhook(administrator, webhook, url=URL, events=["*", "sync.ended"], is_active=True)
    assert AuditEntry.objects.count() == before


def test_what_waits_fails_when_the_webhook_is_switched_off(administrator: User) -> None:
    webhook, _ = make_webhook(administrator, team_of(administrator), url=URL, events=["*"])
    delivery = send_test(administrator, webhook)
    update_webhook(administrator, webhook, is_active=False)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.error) == ("failed", "The webhook was switched off.")
    with pytest.raises(WebhookOffError):
        send_test(administrator, webhook)
    with pytest.raises(WebhookOffError):
        redeliver(administrator, delivery)
    update_webhook(administrator, webhook, is_active=True)
    redeliver(administrator, delivery)
    assert delivery.state == "waiting"


def test_what_waits_is_not_sent_again(administrator: User) -> None:
    webhook, _ = make_webhook(administrator, team_of(administrator), url=URL, events=["*"])
    with pytest.raises(StillWaitingError):
        redeliver(administrator, send_test(administrator, webhook))


def test_the_task_names_the_webhook_and_no_secret(administrator: User) -> None:
    webhook, _ = make_webhook(administrator, team_of(administrator), url=URL, events=["*"])
    send_test(administrator, webhook)
    job = ProcrastinateJob.objects.get(task_name="tokens.send_to_webhook")
    assert (job.queue_name, job.args) == ("webhooks", {"webhook_id": str(webhook.pk)})


def test_deleting_a_webhook_deletes_its_log(administrator: User) -> None:
    webhook, _ = make_webhook(administrator, team_of(administrator), url=URL, events=["*"])
    send_test(administrator, webhook)
    delete_webhook(administrator, webhook)
    assert not Webhook.objects.exists()
    assert not WebhookDelivery.objects.exists()


def test_the_secrets_are_rotated_with_the_encryption_keys(administrator: User, settings: Any) -> None:
    webhook, _ = make_webhook(administrator, team_of(administrator), url=URL, events=["*"])
    secret = rotate_secret(administrator, webhook)
    old_keys = settings.TOKEN_ENCRYPTION_KEYS
    new_key = "w" * 43 + "="
    settings.TOKEN_ENCRYPTION_KEYS = [new_key, *old_keys]
    assert rotate()["rotated"] >= 2
    settings.TOKEN_ENCRYPTION_KEYS = [new_key]
    stored = Webhook.objects.get()
    assert stored.secret is not None
    assert stored.secret.reveal() == secret
    assert stored.old_secret is not None
    stored.old_secret.reveal()


class TestPlacing:
    def test_each_active_webhook_of_the_team_that_asks_for_an_event_gets_it(
        self, administrator: User, connect: ConnectionFactory
    ) -> None:
        team = team_of(administrator)
        other_team = team_of(User.objects.create_user("bob"))
        all_, some = (
            make_webhook(SYSTEM, team, url=URL, events=events)[0]
            for events in (["*"], ["connection.broken", "sync.ended"])
        )
        make_webhook(SYSTEM, team, url=URL, events=["sync.ended"])
        make_webhook(SYSTEM, other_team, url=URL, events=["*"])
        off, _ = make_webhook(SYSTEM, team, url=URL, events=["*"])
        update_webhook(SYSTEM, off, is_active=False)
        connection = connect()
        record_connection_event(Event.Type.CONNECTION_BROKEN, connection)
        place_events()
        deliveries = WebhookDelivery.objects.all()
        assert {delivery.webhook_id for delivery in deliveries} == {all_.pk, some.pk}
        assert {delivery.object_id for delivery in deliveries} == {connection.pk}
        assert {delivery.place for delivery in deliveries} == {Event.objects.get().number}

    def test_a_test_goes_to_its_webhook_alone_and_is_in_no_list(self, administrator: User) -> None:
        webhook, _ = make_webhook(administrator, team_of(administrator), url=URL, events=["*"])
        delivery = send_test(administrator, webhook)
        place_events()
        assert WebhookDelivery.objects.get() == delivery
        assert not Event.objects.placed().exists()

    def test_the_old_secret_ends(self, administrator: User) -> None:
        webhook, _ = make_webhook(administrator, team_of(administrator), url=URL, events=["*"])
        rotate_secret(administrator, webhook)
        assert webhook.old_secret_ends_at is not None
        left = webhook.old_secret_ends_at - timezone.now()
        assert timedelta(hours=23) < left <= timedelta(hours=24, seconds=5)
