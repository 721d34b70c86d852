"""Erasing a person who used this console: everything that names them goes, and the history stays.

The row of the user stays under a neutral name, because the history says with it who did what. `tokens/connect/forget.py`
erases Amazon logins.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from uuid import uuid4

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib.admin.models import LogEntry
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.db.models import Q, Value
from django.db.models.functions import Concat, Left, Length

from tokens.connect.hand_over import HandOverRefusedError, check_hand_over, hand_over_connections
from tokens.models import (
    MAIN,
    ActivityVisit,
    Alert,
    AlertTimes,
    ApiKey,
    AuthorizationAttempt,
    ChosenTeam,
    Connection,
    ConnectLink,
    ErasedPerson,
    Event,
    Invitation,
    Membership,
    MutedAlertKind,
    SavedView,
    Session,
    Team,
    WaitingAlert,
)
from tokens.people.audit import Action, record_audit
from tokens.permissions import System, get_person

logger = logging.getLogger(__name__)

# What belongs to the person alone and is deleted, by what people call one of them. Everything else that names a user is
# history.
BELONGINGS: Final[dict[str, type[models.Model]]] = {
    "session": Session,
    "API key": ApiKey,
    "second factor": Authenticator,
    "link to single sign-on": SocialAccount,
    "confirmed e-mail address": EmailAddress,
    "membership of a team": Membership,
    "team chosen in the lists": ChosenTeam,
    "last visit to the activity": ActivityVisit,
    "saved view": SavedView,
    "kind of alerts without mail": MutedAlertKind,
    "time of mail about alerts": AlertTimes,
    "alert that waits for mail": WaitingAlert,
    "visit to Amazon’s consent page": AuthorizationAttempt,
}
# The admin's log calls what belonged to a person "... of NAME".
NAMED_FOR_PERSON: Final = (ApiKey, Authenticator)

MAX_NAMED: Final = 10


class ErasureRefusedError(Exception):
    """The person cannot be erased now. The text says why, and what to do."""


class StillOwnsError(ErasureRefusedError):
    """The person owns connections that have not ended."""

    def __init__(self, person: User, labels: list[str]) -> None:
        named = ", ".join(f"“{label}”" for label in labels[:MAX_NAMED])
        more = f" and {len(labels) - MAX_NAMED} more" if len(labels) > MAX_NAMED else ""
        super().__init__(
            f"{person} owns connections that have not ended: {named}{more}. Disconnect them, or hand them over to "
            "somebody."
        )


def erase_person(user: User | System, person: User, *, heir: User | None = None) -> bool:
    """Erase what names the person, end their access, and keep the history under a neutral name.

    With an heir, all connections of the person are handed over first. Return False if the person was erased before.
    Raises PermissionDenied for everybody but superusers, and ErasureRefusedError.
    """
    with transaction.atomic(), _explain_hand_over():
        # All superusers too: of two who erase each other, the second must find the first.
        superusers = Q(is_superuser=True, is_active=True)
        concerned = superusers | Q(pk__in=[each.pk for each in (person, heir) if each is not None])
        list(User.objects.filter(concerned).order_by("pk").select_for_update(no_key=True))
        if not check_erasure(user, person, heir=heir):
            return False
        handed_over = {}
        if heir is not None:
            number = Connection.objects.filter(owner=person).count()
            handed_over = {"heir": heir.pk, "heir_name": heir.get_username(), "connections": number}
            hand_over_connections(person, heir)
        _erase(User.objects.get(pk=person.pk))
        ErasedPerson.objects.create(person=person, erased_by=get_person(user))
        person.refresh_from_db()
        # Under the new name. Earlier entries keep the old name until they are pruned.
        record_audit(user, Action.PERSON_ERASE, person, after=handed_over or None)
    logger.info(
        "Person %s was erased by %s.",
        person.pk,
        "a command" if isinstance(user, System) else f"user {user.pk}",
        extra={"action": "person_erased", "person": person.pk},
    )
    return True


def check_erasure(user: User | System, person: User, *, heir: User | None = None) -> bool:
    """Return whether there is anything to erase. Raises what `erase_person` raises, and changes nothing."""
    superusers = User.objects.filter(is_superuser=True, is_active=True)
    if not isinstance(user, System) and not superusers.filter(pk=user.pk).exists():
        raise PermissionDenied("Only superusers erase people.")
    if is_erased(person):
        return False
    if not isinstance(user, System) and user.pk == person.pk:
        raise ErasureRefusedError("Nobody erases themselves. Ask another superuser.")
    if superusers.filter(pk=person.pk).exists() and not superusers.exclude(pk=person.pk).exists():
        raise ErasureRefusedError(f"{person} is the last active superuser. Make another one first.")
    if heir is None:
        if labels := list(find_connected(person).values_list("label", flat=True)):
            raise StillOwnsError(person, labels)
    else:
        with _explain_hand_over():
            check_hand_over(person, heir)
    return True


def is_erased(person: User) -> bool:
    return ErasedPerson.objects.filter(person=person).exists()


def find_connected(person: User) -> models.QuerySet[Connection]:
    """Return the connections of the person that have not ended."""
    return Connection.objects.filter(owner=person).exclude(state=Connection.State.DISCONNECTED)


def count_belongings(person: User) -> dict[str, int]:
    """Return how many things of each kind the erasure deletes."""
    return {name: _belonging_to(person, model).count() for name, model in BELONGINGS.items()}


def has_history(person: User) -> bool:
    """Return whether anything but their belongings names the person. Then the user cannot be deleted."""
    return any(
        models.QuerySet(relation.related_model).filter(**{relation.field.name: person}).exists()
        for relation in User._meta.get_fields(include_hidden=True)
        if isinstance(relation, models.ManyToOneRel)
        and not relation.related_model._meta.auto_created
        and (relation.related_model not in BELONGINGS.values() or relation.field.name != "user")
    )


def _belonging_to(person: User, model: type[models.Model]) -> models.QuerySet[models.Model]:
    return models.QuerySet(model).filter(user=person)


@contextmanager
def _explain_hand_over() -> Iterator[None]:
    try:
        yield
    except HandOverRefusedError as error:
        raise ErasureRefusedError(str(error)) from error


def _erase(person: User) -> None:
    new_name = choose_name(person)
    _erase_addresses(person)
    _rename_in_admin_log(person, new_name)
    for model in BELONGINGS.values():
        _belonging_to(person, model).delete()
    # They open nothing without the person.
    Invitation.objects.filter(invited_by=person).delete()
    _rename_teams(person, new_name)
    person.groups.clear()
    person.user_permissions.clear()
    # Last, so that this lock on the user waits for nothing that waits for the locks above.
    User.objects.filter(pk=person.pk).update(
        username=new_name,
        first_name="",
        last_name="",
        email="",
        password=make_password(None),
        is_active=False,
        is_staff=False,
        is_superuser=False,
        # The history has its own times. This one tells only about the person.
        last_login=None,
    )


def choose_name(person: User) -> str:
    """Return the neutral name that the erasure gives."""
    name = f"erased-{person.pk}"
    # Somebody may have chosen this name.
    return f"erased-{uuid4().hex}" if User.objects.filter(username=name).exists() else name


def _erase_addresses(person: User) -> None:
    """Erase invitations and client links to an address of the person, and what a mail server has said about it."""
    addresses = {person.email, *EmailAddress.objects.filter(user=person).values_list("email", flat=True)}
    for address in addresses - {""}:
        Invitation.objects.filter(email__iexact=address).delete()
        ConnectLink.objects.filter(email__iexact=address).update(email="", mailed_at=None)
        Alert.objects.filter(error__icontains=address).update(
            error="The mail server did not take it. Its answer is erased, because it named a person who was erased."
        )


def _rename_teams(person: User, new_name: str) -> None:
    """Give the teams that are named for the person a neutral name: a migration made a team for each owner."""
    for number, team in enumerate(_find_teams_named_for(person), start=1):
        team.name = new_name if number == 1 else f"{new_name} ({number})"
        team.save(update_fields=["name"])
        Event.objects.filter(team=team).rename_team(team.name)


def _find_teams_named_for(person: User) -> list[Team]:
    named = Q()
    for name in {person.username, person.get_full_name()} - {""}:
        named |= Q(name__iexact=name) | Q(name__istartswith=f"{name} (")
    return list(Team.objects.filter(named).exclude(name=MAIN).select_for_update(no_key=True))


def _rename_in_admin_log(person: User, new_name: str) -> None:
    """Write the new name where the admin's log has a name of the person as text, also an earlier name."""
    about_person = LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(User), object_id=str(person.pk)
    )
    names = {person.username, *about_person.values_list("object_repr", flat=True)}
    # A name that another person has now.
    names -= set(
        User.objects.filter(username__in=names).exclude(pk=person.pk).values_list("username", flat=True)
    )
    about_person.update(object_repr=new_name)
    kinds = ContentType.objects.get_for_models(*NAMED_FOR_PERSON).values()
    for name in names:
        ending = f" of {name}"
        LogEntry.objects.filter(content_type__in=kinds, object_repr__endswith=ending).update(
            object_repr=Concat(
                Left("object_repr", Length("object_repr") - len(ending)), Value(f" of {new_name}")
            )
        )
