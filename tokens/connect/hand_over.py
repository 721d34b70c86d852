"""Giving all connections of a person to another person, with their history and their accounts."""

from django.contrib.auth.models import User

from tokens.models import Connection
from tokens.signals import connections_handed_over


class HandOverRefusedError(Exception):
    """The connections cannot be handed over now. The text says why, and what to do."""


def check_hand_over(person: User, heir: User) -> None:
    """Raise HandOverRefusedError if the heir cannot have the connections of the person."""
    if heir.pk == person.pk:
        raise HandOverRefusedError("The connections must be handed over to somebody else.")
    if not User.objects.filter(pk=heir.pk, is_active=True).exists():
        raise HandOverRefusedError(f"{heir} is not active. Hand the connections over to somebody else.")
    known = _read_logins(heir)
    for login, label in _read_logins(person).items():
        if login in known:
            raise HandOverRefusedError(
                f"“{label}” of {person} and “{known[login]}” of {heir} are the same Amazon login. Disconnect one of "
                "them first."
            )


def _read_logins(person: User) -> dict[tuple[str, str | None], str]:
    """Return the labels of the connections that have not ended, by application and Amazon login."""
    connected = Connection.objects.exclude(state=Connection.State.DISCONNECTED)
    named = connected.filter(owner=person, amazon_user_id__isnull=False).order_by("label", "pk")
    return {
        (client_id, login): label
        for client_id, login, label in named.values_list("client_id", "amazon_user_id", "label")
    }


def hand_over_connections(person: User, heir: User) -> None:
    """Make the heir the owner of all connections of the person, also of those that have ended.

    The caller has checked the permission, and has locked both people in its transaction. Syncs that are under way are
    closed, and start anew. Raises HandOverRefusedError.
    """
    # In the order of ids, as every statement does that locks several.
    owned = Connection.objects.filter(owner=person).order_by("pk").select_for_update(no_key=True)
    connections = list(owned)
    check_hand_over(person, heir)
    Connection.objects.filter(pk__in=[each.pk for each in connections]).update(owner=heir)
    for connection in connections:
        connection.owner = heir
    connections_handed_over.send(sender=Connection, connections=connections, person=person, heir=heir)
