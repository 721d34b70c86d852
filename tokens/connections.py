"""What is done with a connection that is neither connecting nor refreshing it."""

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from tokens.models import Connection
from tokens.signals import connection_changed

# Where a person takes back the consent itself, which we cannot do for them: Amazon has no way to revoke it.
CONSENT_AT_AMAZON = "https://www.amazon.com/ap/adam"


def disconnect(connection: Connection, actor: User | None) -> bool:
    """Erase the tokens; accounts and history stay. Return False if it was disconnected before.

    A refresh that is under way is fenced out and cannot bring the tokens back.
    """
    now = timezone.now()
    with transaction.atomic():
        changed = (
            Connection.objects.filter(pk=connection.pk)
            .exclude(state=Connection.State.DISCONNECTED)
            .update(
                state=Connection.State.DISCONNECTED,
                access_token=None,
                refresh_token=None,
                expires_at=None,
                next_refresh_at=None,
                lease_id=None,
                disconnected_at=now,
                disconnected_by=actor,
            )
        )
        connection.refresh_from_db()
        if changed:
            connection_changed.send(sender=Connection, connection=connection, change="disconnected")
    return bool(changed)
