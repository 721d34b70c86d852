"""What is sent to a webhook, in which order, and what happens when it fails."""

import asyncio
import json
import logging
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from uuid import uuid4

import pytest
from django.conf import LazySettings
from django.db.models.functions import Now
from hypothesis import given
from hypothesis import strategies as st

from tests.tokens.conftest import ConnectionFactory
from tests.tokens.webhooks.receiver import Got, Receiver, reply
from tokens.models import Alert, Connection, Event, Webhook, WebhookDelivery
from tokens.permissions import SYSTEM
from tokens.webhooks.events import record_connection_event
from tokens.webhooks.manage import redeliver, rotate_secret, send_test, update_webhook
from tokens.webhooks.placing import place_events
from tokens.webhooks.sending import Result, claim, find_next_wait, record, send_to_webhook

pytestmark = pytest.mark.django_db(transaction=True)

Type = Event.Type


def write(connection: Connection, *types: Event.Type) -> None:
    for type_ in types:
        record_connection_event(type_, connection)
    place_events()


def send(webhook: Webhook) -> None:
    asyncio.run(send_to_webhook.func(webhook_id=str(webhook.pk)))


def let_time_pass() -> None:
    """Let every wait be over, also that for a worker which died."""
    WebhookDelivery.objects.filter(state="waiting").update(next_try_at=Now() - timedelta(seconds=1))


def states() -> list[str]:
    return list(WebhookDelivery.objects.order_by("place").values_list("state", flat=True))


def test_an_event_is_sent_in_the_form_of_standard_webhooks(
    webhook: Webhook, secret: str, receiver: Receiver, connect: ConnectionFactory
) -> None:
    connection = connect()
    write(connection, Type.CONNECTION_BROKEN)
    send(webhook)
    (got,) = receiver.got
    event = Event.objects.get()
    said = got.verify(secret)
    assert set(said) == {"type", "timestamp", "data"}
    assert (got.id, said["type"], said["data"]) == (str(event.pk), "connection.broken", event.data)
    assert got.headers["content-type"] == "application/json"
    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.status, delivery.tries) == ("delivered", 204, 1)
    assert delivery.tried_at is not None
    send(webhook)
    assert len(receiver.got) == 1


def test_what_was_changed_on_the_way_does_not_pass_the_reference_library(
    webhook: Webhook, secret: str, receiver: Receiver
) -> None:
    send_test(SYSTEM, webhook)
    send(webhook)
    got = receiver.got[0]
    got.verify(secret)
    for changed in (
        Got(got.headers, got.body + b" "),
        Got(got.headers | {"webhook-id": "other"}, got.body),
        Got(got.headers | {"webhook-timestamp": "1"}, got.body),
    ):
        with pytest.raises(Exception, match=r"signature|old"):
            changed.verify(secret)


def test_after_a_rotation_both_secrets_sign_until_the_old_one_ends(
    webhook: Webhook, secret: str, receiver: Receiver
) -> None:
    new = rotate_secret(SYSTEM, webhook)
    send_test(SYSTEM, webhook)
    send(webhook)
    assert receiver.got[-1].verify(secret) == receiver.got[-1].verify(new)
    Webhook.objects.update(old_secret_ends_at=Now() - timedelta(seconds=5))
    send_test(SYSTEM, webhook)
    send(webhook)
    receiver.got[-1].verify(new)
    with pytest.raises(Exception, match="signature"):
        receiver.got[-1].verify(secret)


def test_a_failed_try_is_repeated_as_the_setting_says_under_the_same_id(
    webhook: Webhook, receiver: Receiver, settings: LazySettings
) -> None:
    settings.WEBHOOK_RETRY_SECONDS = (5, 600)
    receiver.answer = lambda handler, _: reply(handler, 503)
    delivery = send_test(SYSTEM, webhook)
    waits = []
    for _ in range(3):
        send(webhook)
        delivery.refresh_from_db()
        if delivery.next_try_at is not None and delivery.tried_at is not None:
            waits.append(round((delivery.next_try_at - delivery.tried_at).total_seconds()))
        send(webhook)
        let_time_pass()
    assert waits == [5, 600]
    assert (delivery.state, delivery.status, delivery.tries) == ("failed", 503, 3)
    assert receiver.ids == [str(delivery.event_id)] * 3


@pytest.mark.parametrize("status", [301, 307, 400, 410, 500])
def test_every_answer_but_2xx_is_a_failure(webhook: Webhook, receiver: Receiver, status: int) -> None:
    receiver.answer = lambda handler, _: reply(handler, status, Location="/elsewhere")
    delivery = send_test(SYSTEM, webhook)
    send(webhook)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.status) == ("waiting", status)
    assert len(receiver.got) == 1


def test_the_events_of_one_object_are_sent_in_order_and_others_do_not_wait(
    webhook: Webhook, receiver: Receiver, connect: ConnectionFactory
) -> None:
    failing, well = connect(), connect("alice")

    def answer(handler: BaseHTTPRequestHandler, got: Got) -> None:
        of_failing = json.loads(got.body)["data"]["connection"]["id"] == str(failing.pk)
        reply(handler, 500 if of_failing and len(receiver.got) < 4 else 204)

    receiver.answer = answer
    write(failing, Type.CONNECTION_BROKEN, Type.CONNECTION_HEALED)
    write(well, Type.CONNECTION_BROKEN, Type.CONNECTION_HEALED)
    send(webhook)
    assert [json.loads(got.body)["data"]["connection"]["id"] for got in receiver.got].count(
        str(failing.pk)
    ) == 1
    assert states() == ["waiting", "waiting", "delivered", "delivered"]
    let_time_pass()
    send(webhook)
    assert states() == ["delivered"] * 4
    of_failing = [
        json.loads(got.body)["type"] for got in receiver.got if str(failing.pk) in got.body.decode()
    ]
    assert of_failing == ["connection.broken", "connection.broken", "connection.healed"]


def test_a_delivery_that_failed_for_good_holds_nothing_back_and_can_be_replayed(
    webhook: Webhook, receiver: Receiver, connect: ConnectionFactory, settings: LazySettings
) -> None:
    settings.WEBHOOK_RETRY_SECONDS = ()
    receiver.answer = lambda handler, _: reply(handler, 204 if len(receiver.got) > 1 else 500)
    write(connect(), Type.CONNECTION_BROKEN, Type.CONNECTION_HEALED)
    send(webhook)
    assert states() == ["failed", "delivered"]
    redeliver(SYSTEM, WebhookDelivery.objects.get(state="failed"))
    send(webhook)
    assert states() == ["delivered", "delivered"]
    assert receiver.ids[0] == receiver.ids[2]


def test_a_replay_that_fails_holds_nothing_back(
    webhook: Webhook, receiver: Receiver, connect: ConnectionFactory
) -> None:
    connection = connect()
    write(connection, Type.CONNECTION_BROKEN)
    send(webhook)
    receiver.answer = lambda handler, got: reply(handler, 500 if got.id == receiver.ids[0] else 204)
    redeliver(SYSTEM, WebhookDelivery.objects.get())
    write(connection, Type.CONNECTION_HEALED)
    send(webhook)
    assert states() == ["waiting", "delivered"]


def test_what_a_dead_worker_had_claimed_is_sent_again_and_its_late_answer_changes_nothing(
    webhook: Webhook, receiver: Receiver
) -> None:
    send_test(SYSTEM, webhook)
    (claimed,) = claim(webhook.pk)
    assert claim(webhook.pk) == []
    send(webhook)
    assert receiver.got == []
    let_time_pass()
    send(webhook)
    assert len(receiver.got) == 1
    assert not record(claimed, Result(500, "", 1))
    assert states() == ["delivered"]


def test_a_webhook_that_fails_for_five_days_is_switched_off_with_one_alert(
    webhook: Webhook, receiver: Receiver
) -> None:
    receiver.answer = lambda handler, _: reply(handler, 500)
    send_test(SYSTEM, webhook)
    send(webhook)
    webhook.refresh_from_db()
    assert webhook.failing_since is not None
    assert webhook.is_active
    Webhook.objects.update(failing_since=Now() - timedelta(days=5, seconds=1))
    send_test(SYSTEM, webhook)
    let_time_pass()
    send(webhook)
    stored = Webhook.objects.get()
    assert not stored.is_active
    assert stored.switched_off_at is not None
    assert set(states()) == {"failed"}
    alert = Alert.objects.get()
    assert (alert.kind, alert.webhook) == ("webhook_switched_off", webhook)
    assert "hunter2" not in alert.text
    update_webhook(SYSTEM, stored, is_active=True)
    assert Webhook.objects.get(is_active=True).failing_since is None


def test_one_success_ends_the_count_of_the_days(webhook: Webhook, receiver: Receiver) -> None:
    Webhook.objects.update(failing_since=Now() - timedelta(days=6))
    send_test(SYSTEM, webhook)
    send(webhook)
    webhook.refresh_from_db()
    assert webhook.failing_since is None
    assert webhook.is_active


def test_nothing_is_sent_to_a_deleted_or_inactive_webhook(webhook: Webhook, receiver: Receiver) -> None:
    send_test(SYSTEM, webhook)
    Webhook.objects.update(is_active=False)
    send(webhook)
    Webhook.objects.all().delete()
    send(webhook)
    asyncio.run(send_to_webhook.func(webhook_id=str(uuid4())))
    assert receiver.got == []


def test_the_log_has_neither_secret_nor_address(
    webhook: Webhook, secret: str, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answer = lambda handler, _: reply(handler, 500)
    send_test(SYSTEM, webhook)
    with caplog.at_level(logging.DEBUG):
        send(webhook)
    assert "did not reach the webhook" in caplog.text
    assert secret not in caplog.text
    assert "hunter2" not in caplog.text


@given(waits=st.lists(st.integers(1, 604_800), max_size=20), tries=st.integers(1, 30))
def test_the_schedule_gives_each_wait_once_and_then_ends(waits: list[int], tries: int) -> None:
    expected = waits[tries - 1] if tries <= len(waits) else None
    assert find_next_wait(tries, waits) == expected
    given_ = [find_next_wait(number, waits) for number in range(1, len(waits) + 2)]
    assert given_ == [*waits, None]
