"""What the scheduler defers for this app."""

from django.conf import settings

from tokens.alerts import delivery
from tokens.processes.scheduler import ScheduledJob
from tokens.tasks import (
    defer_once,
    prune,
    refresh_due_tokens,
    rescue_stalled_jobs,
    send_alerts,
    warn_of_consent_ends,
)


def check_tokens() -> None:
    defer_once(refresh_due_tokens, "tokens.refresh_due")


def send_due_alerts() -> None:
    if delivery.due_exists():
        defer_once(send_alerts, "tokens.send_alerts")


def warn_of_consents() -> None:
    defer_once(warn_of_consent_ends, "tokens.warn_of_consent_ends")


def rescue_jobs() -> None:
    defer_once(rescue_stalled_jobs, "tokens.rescue_stalled_jobs")


def prune_histories() -> None:
    defer_once(prune, "tokens.prune")


JOBS = [
    ScheduledJob("tokens.refresh_due", check_tokens, settings.TOKEN_REFRESH_CHECK_SECONDS),
    ScheduledJob("tokens.send_alerts", send_due_alerts, 30),
    ScheduledJob("tokens.rescue_stalled_jobs", rescue_jobs, 15),
    ScheduledJob("tokens.warn_of_consent_ends", warn_of_consents, 6 * 3600),
    ScheduledJob("tokens.prune", prune_histories, 3600),
]
