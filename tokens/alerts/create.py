"""Creating alerts, in the transaction that makes them true. A task sends them later."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.conf import settings

from amazon_accounts.amazon_ads.pacing import application
from tokens.models import Alert, ApiKey, Connection, TokenRefresh, Webhook


def create_alert(
    kind: Alert.Kind,
    key: str,
    text: str,
    connection: Connection | None = None,
    *,
    api_key: ApiKey | None = None,
    webhook: Webhook | None = None,
    team_ids: Collection[UUID] = (),
) -> UUID:
    """Create an alert about a connection, an API key, a webhook, many connections of these teams or the installation.

    Return its id.

    One thing that is noticed twice has the same key, and is reported once: then no alert has this id.
    """
    alert = Alert(
        kind=kind,
        key=f"{kind}:{key}",
        text=text,
        connection=connection,
        api_key=api_key,
        webhook=webhook,
        team_ids=sorted(team_ids),
    )
    Alert.objects.bulk_create([alert], ignore_conflicts=True)
    return alert.pk


def alert_connection_broken(connection: Connection) -> None:
    create_alert(
        Alert.Kind.CONNECTION_BROKEN,
        f"{connection.pk}:{connection.grant_version}",
        f"Amazon refuses the login of “{connection.label}”. Its accounts are not updated until it is reconnected.",
        connection,
    )


def alert_connection_healed(connection: Connection) -> None:
    create_alert(
        Alert.Kind.CONNECTION_HEALED,
        f"{connection.pk}:{connection.grant_version}",
        f"“{connection.label}” is connected again.",
        connection,
    )


def alert_consent_ending(connection: Connection, ends_at: datetime, days: int) -> bool:
    """Return whether the alert is a new one."""
    # The key has the end of the consent, because importing the same token again makes a new grant.
    alert_id = create_alert(
        Alert.Kind.CONSENT_ENDING,
        f"{connection.pk}:{ends_at:%Y-%m-%d}:{days}",
        f"The consent of “{connection.label}” ends on {ends_at:%Y-%m-%d}. Reconnect it before; its accounts and "
        "history stay.",
        connection,
    )
    return Alert.objects.filter(pk=alert_id).exists()


def alert_application() -> None:
    """Create one alert when Amazon refuses our application, and one after a later refresh has succeeded.

    Both are derived from stored rows, so that no alert is lost when a process dies.
    """
    latest = Alert.objects.filter(
        kind__in=[Alert.Kind.APPLICATION_REFUSED, Alert.Kind.APPLICATION_ACCEPTED]
    ).first()
    refusal = application.get_refusal(settings.AMAZON_CLIENT_ID, settings.AMAZON_CLIENT_SECRET)
    if refusal is not None:
        create_alert(
            Alert.Kind.APPLICATION_REFUSED,
            f"{refusal.pk}:{refusal.refused_since.isoformat()}",
            f"Our own application was refused by Amazon ({refusal.code}). No connection is at fault. Check the "
            "client id and secret; all refreshes are paused.",
        )
    elif latest is not None and latest.kind == Alert.Kind.APPLICATION_REFUSED and _refreshed_since(latest):
        create_alert(
            Alert.Kind.APPLICATION_ACCEPTED,
            f"{latest.pk}",
            "Amazon accepts our application again. Refreshes go on.",
        )


def _refreshed_since(alert: Alert) -> bool:
    return (
        TokenRefresh.objects.since(alert.created_at).filter(outcome=TokenRefresh.Outcome.SUCCEEDED).exists()
    )
