"""What people are told: written down in the transaction that makes it true, sent later by a task."""

from datetime import datetime

from tokens.models import Alert, Connection


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
    note(
        Alert.Kind.CONSENT_ENDING,
        f"{connection.pk}:{connection.grant_version}:{days}",
        f"The consent of “{connection.label}” ends on {ends_at:%Y-%m-%d}. Reconnect it before; its accounts and "
        "history stay.",
        connection,
    )


def application_refused(client_id: str, refused_at: datetime, code: str) -> None:
    note(
        Alert.Kind.APPLICATION_REFUSED,
        f"{client_id}:{refused_at.isoformat()}",
        f"Our own application was refused by Amazon ({code}). No connection is at fault. Check the client id and "
        "secret; all refreshes are paused.",
    )


def application_accepted(client_id: str, refused_at: datetime) -> None:
    note(
        Alert.Kind.APPLICATION_ACCEPTED,
        f"{client_id}:{refused_at.isoformat()}",
        "Amazon accepts our application again. Refreshes go on.",
    )
