"""Changing what people say about a connection: its label, the regions that are read, and the person responsible."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet

from amazon_accounts.amazon_ads.foreign_text import has_token
from amazon_accounts.amazon_ads.hosts import Region
from amazon_accounts.visible_text import UNPRINTABLE
from tokens.locking import lock_connection
from tokens.models import Connection
from tokens.people.audit import Action, record_audit
from tokens.permissions import System, get_person, require
from tokens.signals import connection_changed

MAX_LABEL_LENGTH: Final = 200  # characters


def clean_label(value: Any) -> str:
    """Return the label without blanks at its ends. Raises ValidationError."""
    if not isinstance(value, str):
        raise ValidationError("It must be a text.")
    if has_token(value):
        # Labels are shown, and stored as plain text.
        raise ValidationError("It has a token of Amazon in it. A token belongs into no label.")
    label = value.strip()
    if not 0 < len(label) <= MAX_LABEL_LENGTH:
        raise ValidationError(f"It must have 1 to {MAX_LABEL_LENGTH} characters.")
    if UNPRINTABLE.search(label):
        raise ValidationError("It must have no line breaks and no other control characters.")
    return label


def clean_regions(value: Any) -> list[str]:
    """Return the regions in Amazon's order. Raises ValidationError."""
    names = ", ".join(Region.values)
    if not isinstance(value, list) or not value:
        raise ValidationError(f"It must be a list with at least one of: {names}.")
    if len(value) > len(Region.values):
        raise ValidationError(f"It must have each of {names} at most once.")
    if any(region not in Region.values for region in value):
        # The text is not repeated, because it may be a token in the wrong place.
        raise ValidationError(f"Unknown region. The regions are {names}.")
    return [region for region in Region.values if region in value]


def clean_owner(value: Any) -> str:
    """Return the user name. Raises ValidationError."""
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValidationError("It must be a user name.")
    return value


CHANGEABLE: Final[Mapping[str, Callable[[Any], Any]]] = {
    "label": clean_label,
    "regions": clean_regions,
    "owner": clean_owner,
}


def list_owners(connection: Connection) -> QuerySet[User]:
    """Return the people who may become responsible: who are active and see the team of the connection."""
    sees_team = Q(is_superuser=True) | Q(memberships__team=connection.team_id)
    return User.objects.filter(sees_team, is_active=True).distinct().order_by("username")


def update_connection(user: User | System, connection: Connection, changes: Any) -> bool:
    """Change `label`, `regions` and `owner` (a user name), where given. Return False if nothing differs.

    Other regions are synced at once. Raises PermissionDenied and ValidationError.
    """
    require(user, "tokens.connect_amazon", connection)
    cleaned = _clean(changes)
    with transaction.atomic():
        if "owner" in cleaned:
            cleaned["owner"] = _lock_person(cleaned["owner"])
        # The row is read again under its lock, because a refresh or another person may have changed it.
        locked = lock_connection(user, "tokens.connect_amazon", connection.pk)
        if locked.is_forgotten:
            raise ValidationError("The login was forgotten, so nothing of it can be changed.")
        if "owner" in cleaned and cleaned["owner"] != locked.owner:
            _check_owner(locked, cleaned["owner"])
        changed = {name: value for name, value in cleaned.items() if not _is_same(locked, name, value)}
        before = {name: getattr(locked, name) for name in changed}
        for name, value in changed.items():
            setattr(locked, name, value)
            setattr(connection, name, value)
        if changed:
            locked.save(update_fields=list(changed))
            record_audit(
                user,
                Action.CONNECTION_UPDATE,
                locked,
                before=_leave_out_names(before),
                after=_leave_out_names(changed),
            )
        if "regions" in changed:
            connection_changed.send(
                sender=Connection, connection=locked, change="regions", user=get_person(user)
            )
    return bool(changed)


def _clean(changes: Any) -> dict[str, Any]:
    if not isinstance(changes, dict):
        raise ValidationError(f"It must be an object with any of: {', '.join(CHANGEABLE)}.")
    if unknown := next((name for name in changes if name not in CHANGEABLE), None):
        raise ValidationError(
            {unknown[:60]: f"There is no such field. The fields are: {', '.join(CHANGEABLE)}."}
        )
    cleaned, errors = {}, {}
    for name, value in changes.items():
        try:
            cleaned[name] = CHANGEABLE[name](value)
        except ValidationError as error:
            errors[name] = error.messages
    if errors:
        raise ValidationError(errors)
    return cleaned


def _lock_person(name: str) -> User | None:
    # Before the connection, as erasing a person does. Until the end nobody ends the person's access.
    return User.objects.select_for_update(no_key=True).filter(username=name).first()


def _check_owner(connection: Connection, person: User | None) -> None:
    if person is None or not list_owners(connection).filter(pk=person.pk).exists():
        # One text for all reasons: it says neither who has a login here nor who is active.
        raise ValidationError(
            {
                "owner": f"It must be the user name of an active member of “{connection.team}”, or of a superuser."
            }
        )


def _leave_out_names(values: Mapping[str, Any]) -> dict[str, Any]:
    # A label may name the Amazon login, and the trail keeps it when the login is forgotten.
    hidden = {"label": "(not recorded)"}
    return {
        name: hidden.get(name) or (value.get_username() if isinstance(value, User) else value)
        for name, value in values.items()
    }


def _is_same(connection: Connection, name: str, value: Any) -> bool:
    stored = getattr(connection, name)
    return bool(sorted(stored) == sorted(value) if name == "regions" else stored == value)
