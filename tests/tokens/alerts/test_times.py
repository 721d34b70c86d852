"""Quiet hours and the daily mail of a person."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core import mail
from django.core.exceptions import ValidationError
from django.core.mail.backends.locmem import EmailBackend
from django.db.models import F
from django.db.models.functions import Now

from amazon_accounts.postgresql.clock import database_now
from tests.tokens.conftest import ConnectionFactory
from tokens.alerts.choices import choose_alerts, list_kinds
from tokens.alerts.create import alert_connection_broken, alert_connection_healed
from tokens.alerts.daily import send_waiting_alerts, waiting_mail_is_due
from tokens.alerts.delivery import send_due_alerts
from tokens.alerts.times import Times, let_wait, read_times
from tokens.models import Alert, AlertTimes, AuditEntry, Connection, Membership, WaitingAlert

pytestmark = pytest.mark.django_db(transaction=True)

NIGHT = Times(quiet_from=time(22), quiet_until=time(7), zone="Europe/Berlin")
NOON = Times(quiet_from=time(12), quiet_until=time(13, 30))
DAILY = Times(digest_at=time(8), zone="America/New_York")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("times", "now", "mailed_at"),
    [
        (Times(), "2026-11-30 03:00", None),
        (NIGHT, "2026-11-30 20:59", None),
        (NIGHT, "2026-11-30 21:00", "2026-12-01 06:00"),
        (NIGHT, "2026-12-01 05:59", "2026-12-01 06:00"),
        (NIGHT, "2026-12-01 06:00", None),
        # In summer the clocks of Berlin are two hours ahead.
        (NIGHT, "2026-07-01 20:30", "2026-07-02 05:00"),
        (NOON, "2026-11-30 12:00", "2026-11-30 13:30"),
        (NOON, "2026-11-30 13:30", None),
        (DAILY, "2026-11-30 12:59", "2026-11-30 13:00"),
        (DAILY, "2026-11-30 13:00", "2026-12-01 13:00"),
        # The night in which the clocks of New York are set back.
        (DAILY, "2026-10-31 12:30", "2026-11-01 13:00"),
    ],
)
def test_a_mail_comes_at_once_or_at_the_chosen_time(times: Times, now: str, mailed_at: str | None) -> None:
    assert times.find_next_mail(at(now)) == (at(mailed_at) if mailed_at else None)


@pytest.mark.parametrize(
    "times",
    [
        Times(quiet_from=time(22)),
        Times(quiet_until=time(22)),
        Times(quiet_from=time(22), quiet_until=time(22)),
        Times(digest_at=time(8), zone="Atlantis/Capital"),
    ],
)
def test_times_that_make_no_sense_are_refused(alice: User, times: Times) -> None:
    with pytest.raises(ValidationError):
        choose_alerts(alice, [], times)
    assert not AlertTimes.objects.exists()


def choose(user: User, times: Times) -> None:
    choose_alerts(user, list_kinds(user), times)


def choose_quiet_now(user: User) -> datetime:
    now = database_now().replace(second=0, microsecond=0)
    end = now + timedelta(hours=2)
    choose(user, Times(quiet_from=(now - timedelta(hours=1)).time(), quiet_until=end.time()))
    return end


def let_time_come() -> None:
    AlertTimes.objects.update(next_mail_at=Now())


def test_a_choice_is_stored_and_audited(alice: User) -> None:
    choose(alice, NIGHT)
    assert read_times(alice) == NIGHT
    entry = AuditEntry.objects.latest("pk")
    assert entry.action == "alerts.choose"
    chosen = {"quiet_from": "22:00", "quiet_until": "07:00", "zone": "Europe/Berlin"}
    assert entry.after == {"kinds": list_kinds(alice), **chosen}
    assert not choose_alerts(alice, list_kinds(alice), NIGHT)
    choose(alice, Times(zone="Europe/Berlin"))
    assert not AlertTimes.objects.exists()


def test_what_comes_in_quiet_hours_is_one_mail_at_their_end(alice: User, connect: ConnectionFactory) -> None:
    ends_at = choose_quiet_now(alice)
    alert_connection_broken(connect(label="First"))
    send_due_alerts()
    alert_connection_healed(connect(label="Second"))
    send_due_alerts()
    assert mail.outbox == []
    assert AlertTimes.objects.get().next_mail_at == ends_at
    assert not waiting_mail_is_due()
    let_time_come()
    assert waiting_mail_is_due()
    assert send_waiting_alerts() == 1
    (message,) = mail.outbox
    assert message.to == [alice.email]
    assert message.subject == "2 alerts of your quiet hours"
    assert "“First”" in message.body
    assert "“Second”" in message.body
    assert send_waiting_alerts() == 0
    assert not waiting_mail_is_due()
    assert not WaitingAlert.objects.exists()


def test_one_persons_quiet_hours_are_nobody_elses(alice: User, connect: ConnectionFactory) -> None:
    root = User.objects.create_superuser("root", "root@example.test")
    choose_quiet_now(alice)
    alert_connection_broken(connect())
    assert send_due_alerts() == 1
    assert [message.to for message in mail.outbox] == [[root.email]]
    let_time_come()
    assert send_waiting_alerts() == 1
    assert mail.outbox[1].to == [alice.email]
    assert mail.outbox[1].subject == "1 alert of your quiet hours"


def test_a_daily_mail_has_everything_of_the_day(alice: User, connect: ConnectionFactory) -> None:
    choose(alice, DAILY)
    for number in range(2):
        alert_connection_broken(connect(label=f"Shop {number}"))
        send_due_alerts()
        Alert.objects.update(told_at=None, sent_at=F("sent_at") - timedelta(hours=1))
    assert mail.outbox == []
    let_time_come()
    assert send_waiting_alerts() == 1
    assert mail.outbox[0].subject == "2 alerts of the last day"
    assert "Amazon refuses 2 logins\n-----------------------\n" in mail.outbox[0].body
    times = AlertTimes.objects.get()
    assert times.next_mail_at is not None
    assert database_now() < times.next_mail_at <= database_now() + timedelta(days=1)
    # Nothing happened since.
    let_time_come()
    assert send_waiting_alerts() == 0


def test_a_mail_that_failed_is_sent_again_with_what_it_had(
    alice: User, connect: ConnectionFactory, settings: LazySettings
) -> None:
    choose(alice, DAILY)
    alert_connection_broken(connect(label="First"))
    send_due_alerts()
    let_time_come()
    settings.EMAIL_BACKEND = "tests.tokens.alerts.test_alerts.FailingBackend"
    assert send_waiting_alerts() == 0
    claimed = AlertTimes.objects.get()
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    alert_connection_healed(connect(label="Second"))
    send_due_alerts()
    let_time_come()
    assert send_waiting_alerts() == 1
    assert mail.outbox[0].extra_headers["Message-ID"].startswith(f"<{claimed.message_id}.{alice.pk}@")
    assert "“Second”" not in mail.outbox[0].body
    let_time_come()
    assert send_waiting_alerts() == 1
    assert "“Second”" in mail.outbox[1].body


def test_a_process_that_dies_while_it_sends_sends_the_same_mail_again(
    alice: User, connect: ConnectionFactory, settings: LazySettings
) -> None:
    choose(alice, DAILY)
    alert_connection_broken(connect())
    send_due_alerts()
    let_time_come()
    settings.EMAIL_BACKEND = "tests.tokens.alerts.test_alerts.DyingBackend"
    with pytest.raises(KeyboardInterrupt):
        send_waiting_alerts()
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert send_waiting_alerts() == 0  # the other process may still be sending
    let_time_come()
    assert send_waiting_alerts() == 1
    first, again = mail.outbox
    assert first.extra_headers == again.extra_headers


def test_who_chooses_no_times_any_more_gets_what_waits_now(alice: User, connect: ConnectionFactory) -> None:
    choose(alice, DAILY)
    alert_connection_broken(connect())
    send_due_alerts()
    choose(alice, Times())
    assert send_waiting_alerts() == 1


@pytest.mark.parametrize("change", ["leaves the team", "is deactivated"])
def test_who_may_not_see_it_any_more_does_not_get_it(
    alice: User, connect: ConnectionFactory, change: str
) -> None:
    choose(alice, DAILY)
    alert_connection_broken(connect())
    send_due_alerts()
    if change == "leaves the team":
        Membership.objects.filter(user=alice).delete()
    else:
        User.objects.filter(pk=alice.pk).update(is_active=False)
    let_time_come()
    assert send_waiting_alerts() == 0
    assert mail.outbox == []
    assert not WaitingAlert.objects.exists()


def test_a_text_that_was_erased_is_not_mailed(alice: User, connect: ConnectionFactory) -> None:
    choose(alice, DAILY)
    connection: Connection = connect(label="Garden shop")
    alert_connection_broken(connection)
    send_due_alerts()
    connection.alerts.all().erase_texts()
    let_time_come()
    send_waiting_alerts()
    assert "Garden shop" not in "".join(str(message.body) for message in mail.outbox)


class SlowBackend(EmailBackend):
    """While it sends, a transaction ends that let another alert wait before the mail was claimed."""

    def send_messages(self, messages: Any) -> int:
        late = WaitingAlert(user=User.objects.get(username="alice"), alert=Alert.objects.latest("created_at"))
        late.created_at = database_now() - timedelta(minutes=1)
        late.save(force_insert=True)
        return super().send_messages(messages)


def test_an_alert_that_begins_to_wait_while_the_mail_is_sent_is_in_the_next_one(
    alice: User, connect: ConnectionFactory, settings: LazySettings
) -> None:
    choose(alice, DAILY)
    alert_connection_broken(connect(label="First"))
    send_due_alerts()
    let_time_come()
    alert_connection_healed(connect(label="Second"))
    settings.EMAIL_BACKEND = "tests.tokens.alerts.test_times.SlowBackend"
    assert send_waiting_alerts() == 1
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    let_time_come()
    assert send_waiting_alerts() == 1
    assert "“Second”" in mail.outbox[1].body


def test_an_alert_that_waits_after_the_last_time_was_taken_away_is_mailed(
    alice: User, connect: ConnectionFactory
) -> None:
    until = choose_quiet_now(alice)
    alert_connection_broken(connect(label="First"))
    choose(alice, Times())
    let_wait(alice.pk, list(Alert.objects.all()), until)
    let_time_come()
    assert send_waiting_alerts() == 1
    assert "“First”" in mail.outbox[0].body
    assert read_times(alice).is_at_once
