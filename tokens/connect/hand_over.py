"""Making another person responsible for all connections of a person. The connections stay in their teams."""

from django.contrib.auth.models import User

from tokens.models import Connection, ConnectLink, Team


class HandOverRefusedError(Exception):
    """The connections cannot be handed over now. The text says why, and what to do."""


def check_hand_over(person: User, heir: User) -> None:
    """Raise HandOverRefusedError if the heir cannot be responsible for the connections of the person."""
    if heir.pk == person.pk:
        raise HandOverRefusedError("The connections must be handed over to somebody else.")
    if not User.objects.filter(pk=heir.pk, is_active=True).exists():
        raise HandOverRefusedError(f"{heir} is not active. Hand the connections over to somebody else.")
    foreign = Team.objects.filter(connections__owner=person).exclude(
        pk__in=Team.objects.visible_to(heir).values("pk")
    )
    if team := foreign.first():
        raise HandOverRefusedError(
            f"{heir} is no member of the team “{team}”, which has connections of {person}. Add {heir} to the team, or "
            "hand the connections over to a member."
        )


def hand_over_connections(person: User, heir: User) -> None:
    """Make the heir the owner of all connections of the person, also of those that have ended, and of client links.

    The caller has checked the permission, and has locked both people in its transaction. Raises HandOverRefusedError.
    """
    # In the order of ids, as every statement does that locks several.
    owned = Connection.objects.filter(owner=person).order_by("pk").select_for_update(no_key=True)
    connections = [connection.pk for connection in owned.only("pk")]
    check_hand_over(person, heir)
    Connection.objects.filter(pk__in=connections).update(owner=heir)
    ConnectLink.objects.filter(owner=person, team__in=Team.objects.visible_to(heir)).update(owner=heir)
