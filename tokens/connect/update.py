"""Changing what people say about a connection: its names, the regions that are read, whom to ask, and its pause."""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import date
from typing import Any, Final, NamedTuple

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Q, QuerySet

from amazon_accounts.amazon_ads.foreign_text import has_token
from amazon_accounts.amazon_ads.hosts import Region
from amazon_accounts.labels import find_error_in_labels, merge_labels
from amazon_accounts.postgresql.clock import approximate_now, database_now
from amazon_accounts.visible_text import UNPRINTABLE
from tokens.locking import lock_connection
from tokens.models import Connection
from tokens.people.audit import Action, record_audit
from tokens.permissions import System, get_person, require
from tokens.request_order import number_fields, order_request
from tokens.signals import connection_changed

MAX_LABEL_LENGTH: Final = 200  # characters
MAX_EMAIL_LENGTH: Final = 254  # characters
DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
# Amazon Ads had no API before.
FIRST_DAY: Final = date(2015, 1, 1)


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


def clean_labels(value: Any) -> dict[str, str | None]:
    """Return the labels to set and, with None, to remove. Raises ValidationError."""
    if error := find_error_in_labels(value):
        raise ValidationError(error)
    return dict(value)


def clean_contact_email(value: Any) -> str:
    """Return the address without blanks at its ends, or "". Raises ValidationError."""
    if not isinstance(value, str):
        raise ValidationError("It must be a text.")
    if has_token(value):
        raise ValidationError("It has a token of Amazon in it.")
    address = value.strip()
    if address:
        try:
            validate_email(address)
        except ValidationError:
            raise ValidationError("It must be one e-mail address, or empty.") from None
        if len(address) > MAX_EMAIL_LENGTH:
            raise ValidationError(f"It must have at most {MAX_EMAIL_LENGTH} characters.")
    return address


def clean_paused(value: Any) -> bool:
    """Raises ValidationError unless it is true or false."""
    if not isinstance(value, bool):
        raise ValidationError("It must be true or false.")
    return value


def clean_consented_on(value: Any) -> date | None:
    """Return the day of a consent; None if it is not known. Raises ValidationError."""
    if value is None or isinstance(value, date):
        day = value
    else:
        try:
            day = date.fromisoformat(value if isinstance(value, str) and DAY.fullmatch(value) else "")
        except ValueError:
            raise ValidationError("It must be a day like 2026-08-01.") from None
    if day is not None and not FIRST_DAY <= day <= approximate_now().date():
        raise ValidationError(f"It must be a day from {FIRST_DAY} until today.")
    return day


CHANGEABLE: Final[Mapping[str, Callable[[Any], Any]]] = {
    "label": clean_label,
    "labels": clean_labels,
    "contact_email": clean_contact_email,
    "regions": clean_regions,
    "paused": clean_paused,
    "owner": clean_owner,
    "consented_on": clean_consented_on,
}
STORED_AS: Final = {"consented_on": "consented_at"}
ORDERED: Final = tuple(name for name in CHANGEABLE if name != "labels")
# A label may name the Amazon login, and the trail keeps it when the login is forgotten.
NOT_RECORDED: Final = "(not recorded)"


class Updated(NamedTuple):
    """Whether anything differs now, and the fields that stayed because newer requests have changed them."""

    changed: bool
    overtaken: list[str]


def list_owners(connection: Connection) -> QuerySet[User]:
    """Return the people who may become responsible: who are active and see the team of the connection."""
    sees_team = Q(is_superuser=True) | Q(memberships__team=connection.team_id)
    return User.objects.filter(sees_team, is_active=True).distinct().order_by("username")


def update_connection(
    user: User | System, connection: Connection, changes: Any, *, number: int | None = None
) -> Updated:
    """Change any of CHANGEABLE: a string sets a label of `labels` and None removes it; `owner` is a user name.

    Other regions are synced at once. A pause ends the syncs under way, and a connection that is resumed is due.
    `number` is that of an older request. Raises PermissionDenied, ValidationError, and OvertakenError if newer requests
    have changed all fields.
    """
    require(user, "tokens.connect_amazon", connection)
    cleaned = check_changes(changes)
    with transaction.atomic():
        if "owner" in cleaned:
            cleaned["owner"] = _lock_person(cleaned["owner"])
        # The row is read again under its lock, because a refresh or another person may have changed it.
        locked = lock_connection(user, "tokens.connect_amazon", connection.pk)
        if locked.is_forgotten:
            raise ValidationError("The login was forgotten, so nothing of it can be changed.")
        if "owner" in cleaned and cleaned["owner"] != locked.owner:
            _check_owner(locked, cleaned["owner"])
        ordered = order_request(locked.request_numbers, number_fields(cleaned, ORDERED), number)
        wanted = _leave_out(cleaned, ordered.overtaken)
        if "labels" in wanted:
            wanted["labels"] = merge_labels(locked.labels, wanted["labels"])
        changed = {name: value for name, value in wanted.items() if not _is_same(locked, name, value)}
        if "consented_on" in changed and not locked.is_consent_given_by_people:
            raise ValidationError(
                {"consented_on": "The login consented here, so the day is known and stays as it is."}
            )
        before = {name: getattr(locked, name) for name in changed}
        for name, value in changed.items():
            setattr(locked, name, value)
            setattr(connection, name, value)
        locked.request_numbers = ordered.numbers
        _store(locked, changed)
        if changed:
            record_audit(
                user,
                Action.CONNECTION_UPDATE,
                locked,
                before=describe_changes(before),
                after=describe_changes(changed),
            )
        _tell(user, locked, changed)
    return Updated(bool(changed), ordered.overtaken)


def _leave_out(cleaned: Mapping[str, Any], overtaken: Collection[str]) -> dict[str, Any]:
    wanted = {name: value for name, value in cleaned.items() if name not in overtaken}
    if "labels" in wanted:
        labels = {
            name: value for name, value in wanted["labels"].items() if f"labels.{name}" not in overtaken
        }
        wanted["labels"] = labels
    return wanted


def _store(locked: Connection, changed: Mapping[str, Any]) -> None:
    fields = ["request_numbers", *(STORED_AS.get(name, name) for name in changed)]
    if changed.get("paused") is False:
        # It is due, behind what others have waited for longer.
        locked.next_sync_at = database_now()
        fields.append("next_sync_at")
    locked.save(update_fields=fields)


def _tell(user: User | System, locked: Connection, changed: Mapping[str, Any]) -> None:
    if changed.get("paused"):
        connection_changed.send(sender=Connection, connection=locked, change="paused")
    if "regions" in changed:
        connection_changed.send(sender=Connection, connection=locked, change="regions", user=get_person(user))


def check_changes(changes: Any) -> dict[str, Any]:
    """Return the changes in their stored form. Raises ValidationError by field."""
    if not isinstance(changes, dict):
        raise ValidationError(f"It must be an object with any of: {', '.join(CHANGEABLE)}.")
    if unknown := [name for name in changes if name not in CHANGEABLE]:
        raise ValidationError(
            {unknown[0][:60]: f"There is no such field. The fields are: {', '.join(CHANGEABLE)}."}
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


def describe_changes(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return changes, or the values before them, as the audit trail has them."""
    described = dict(values)
    for name in {"label", "contact_email"} & described.keys():
        described[name] = NOT_RECORDED
    if "labels" in described:
        described["labels"] = dict.fromkeys(sorted(described["labels"]), NOT_RECORDED)
    if isinstance(day := described.get("consented_on"), date):
        described["consented_on"] = day.isoformat()
    if isinstance(owner := described.get("owner"), User):
        described["owner"] = owner.get_username()
    return described


def _is_same(connection: Connection, name: str, value: Any) -> bool:
    stored = getattr(connection, name)
    return bool(sorted(stored) == sorted(value) if name == "regions" else stored == value)
