"""What tests of the watcher share: processes that are alive, and time that passes."""

from datetime import timedelta

from django.core import mail
from django.db.models import F

from tokens.alerts.delivery import send_due_alerts
from tokens.models import Alert, Failure, Heartbeat
from tokens.processes.heartbeats import Pulse
from tokens.processes.watch.looking import look


def let_processes_live() -> None:
    Pulse(Heartbeat.Kind.WORKER).beat()
    Pulse(Heartbeat.Kind.SCHEDULER).beat(leads=True)


def let_pass(minutes: float) -> None:
    """Let the failures that last have begun so much earlier."""
    Failure.objects.lasting().update(began_at=F("began_at") - timedelta(minutes=minutes))


def look_again(minutes: float = 0) -> list[str]:
    """Let so many minutes pass since the last look, look, and return the kinds of all alerts so far, the oldest first."""
    let_pass(minutes)
    look()
    return list(Alert.objects.order_by("created_at", "pk").values_list("kind", flat=True))


def read_mail() -> list[str]:
    """Send what is due, without a pause between messages of one kind; return the subjects of all mails so far."""
    Alert.objects.filter(sent_at__isnull=False).update(
        sent_at=F("sent_at") - timedelta(hours=1), told_at=F("told_at") - timedelta(hours=1)
    )
    send_due_alerts()
    return [str(message.subject) for message in mail.outbox]
