"""What people are told: written down in the transaction that makes it true, sent later by a task."""

from datetime import datetime

from django.conf import settings

from amazon_accounts.amazon_ads.pacing import application
from tokens.models import Alert, Connection, TokenRefresh


def note(kind: Alert.Kind, key: str, text: str, connection: Connection | None = None) -> None:
    """Write an alert down, unless its key was used before: what was told once is not told again."""
    Alert.objects.bulk_create(
        [Alert(kind=kind, key=f"{kind}:{key}", text=text, connection=connection)], ignore_conflicts=True
    )


def connection_broken(connection: Connection) -> None:
    note(
        Alert.Kind.CONNECTION_BROKEN,
        f"{connection.pk}:{connection.grant_version}",
        f"Amazon no longer accepts the login of “{connection.label}”. Its accounts are not updated any more "
        "until somebody reconnects it.",
        connection,
    )


def connection_healed(connection: Connection) -> None:
    note(
        Alert.Kind.CONNECTION_HEALED,
        f"{connection.pk}:{connection.grant_version}",
        f"“{connection.label}” is connected again.",
        connection,
    )


def consent_ending(connection: Connection, ends_at: datetime, days: int) -> None:
    # By its end, and not by the grant: importing the same token again makes a new grant of the same consent.
    note(
        Alert.Kind.CONSENT_ENDING,
        f"{connection.pk}:{ends_at:%Y-%m-%d}:{days}",
        f"The consent of “{connection.label}” ends on {ends_at:%Y-%m-%d}. Reconnect it before; its accounts and "
        "history stay.",
        connection,
    )


def note_application() -> None:
    """Say it once when Amazon refuses our application, and once when a refresh has succeeded again since.

    Both are read from what is stored, so that neither is lost with a process.
    """
    told = Alert.objects.filter(
        kind__in=[Alert.Kind.APPLICATION_REFUSED, Alert.Kind.APPLICATION_ACCEPTED]
    ).first()
    refusal = application.get_refusal(settings.AMAZON_CLIENT_ID, settings.AMAZON_CLIENT_SECRET)
    if refusal is not None:
        note(
            Alert.Kind.APPLICATION_REFUSED,
            f"{refusal.pk}:{refusal.refused_since.isoformat()}",
            f"Our own application was refused by Amazon ({refusal.code}). No connection is at fault. Check the "
            "client id and secret; all refreshes are paused.",
        )
    elif told is not None and told.kind == Alert.Kind.APPLICATION_REFUSED and _refreshed_since(told):
        note(
            Alert.Kind.APPLICATION_ACCEPTED,
            f"{told.pk}",
            "Amazon accepts our application again. Refreshes go on.",
        )


def _refreshed_since(alert: Alert) -> bool:
    return (
        TokenRefresh.objects.since(alert.created_at).filter(outcome=TokenRefresh.Outcome.SUCCEEDED).exists()
    )
