"""Making, finding and revoking API keys.

A key is made and revoked in a session, or by the command, and never by a key: who has stolen one must not make another.
"""

import hashlib
import logging
import re
import secrets
from datetime import timedelta
from typing import Final, cast
from uuid import UUID

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import InternalError, OperationalError, transaction
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from django.db.models.functions import Now

from amazon_accounts.visible_text import escape_line
from tokens.models.api_key import KEY_PREFIX, MAX_LIFE, MAX_NAME_CHARACTERS, ApiKey, ApiKeyQuerySet
from tokens.models.team import Team, read_roles, set_roles
from tokens.people.audit import Action, AuditedObject, record_audit
from tokens.people.roles import PERMISSIONS, includes
from tokens.permissions import KeyLimits, System, attach_limits, get_person, may_everything, require

logger = logging.getLogger(__name__)

USUAL_DAYS: Final = 90
MAX_DAYS: Final = MAX_LIFE.days
# Limits are counted for each key.
MAX_KEYS: Final = 50
SHOWN_CHARACTERS: Final = len(KEY_PREFIX) + 8
# Longer than any key, and short enough to digest whatever is sent.
MAX_KEY_CHARACTERS: Final = 200
# A request costs one query, and one UPDATE in this time.
USED_EVERY: Final = timedelta(minutes=1)
# The attribute of a user who speaks by a key: the id of the key.
BY_KEY: Final = "speaks_by_api_key"
# The attribute of a user who speaks by a key of a team: true.
FOR_TEAM: Final = "speaks_for_team"


def digest_key(key: str) -> str:
    # A key has 256 random bits, so nobody finds it by its digest, and no slow hash is needed.
    return hashlib.sha512(key.encode()).hexdigest()


@transaction.atomic
def make_api_key(
    user: User | System,
    owner: User,
    *,
    name: str,
    days: int = USUAL_DAYS,
    team: Team | None = None,
    role: str = "",
) -> tuple[ApiKey, str]:
    """Make a key of the owner; return the row and the key itself, which is stored nowhere.

    The team and the role limit the key further than its owner. A person makes keys for themselves alone. Raises
    PermissionDenied, and ValidationError for a name or a number of days that is not allowed, for a team that the
    owner is not in, for a role above the owner's, and for an owner who may not use the API.
    """
    refuse_key(user)
    if not _is_own(user, owner.pk) and not isinstance(user, System):
        raise PermissionDenied("Nobody makes an API key for another person.")
    if not (owner.is_active and owner.is_staff):
        raise ValidationError({"user": f"“{owner}” may not sign in."})
    _refuse_role_above(owner, team, role)
    if count_api_keys(owner) >= MAX_KEYS:
        raise ValidationError(f"{owner} has {MAX_KEYS} API keys. End one that is not needed first.")
    return _make(user, owner, team, role, name, days)


@transaction.atomic
def make_team_key(
    user: User, team: Team, *, name: str, role: str, days: int = USUAL_DAYS
) -> tuple[ApiKey, str]:
    """Make a key of the team, which goes on when the person leaves; return the row and the key itself.

    Raises PermissionDenied, and ValidationError for a role that is missing or above the person's own in the team, and
    as `make_api_key`.
    """
    refuse_key(user)
    require(user, "tokens.manage_keys", team)
    if not role:
        raise ValidationError({"role": "A key of a team needs a role."})
    _refuse_role_above(user, team, role)
    if ApiKey.objects.filter(user=None, team=team).live().count() >= MAX_KEYS:
        raise ValidationError(f"“{team}” has {MAX_KEYS} API keys. End one that is not needed first.")
    return _make(user, None, team, role, name, days)


def _refuse_role_above(person: User, team: Team | None, role: str) -> None:
    if role and role not in PERMISSIONS:
        raise ValidationError({"role": f"It must be one of: {', '.join(PERMISSIONS)}."})
    if may_everything(person):
        return
    own = read_roles(person)
    if team is not None and team.pk not in own:
        raise ValidationError({"team": f"{person} is not in the team “{team}”."})
    held = own.values() if team is None else [own[team.pk]]
    if role and not any(includes(each, role) for each in held):
        raise ValidationError({"role": "Nobody gives a key a role above their own."})


def _make(
    user: User | System, owner: User | None, team: Team | None, role: str, name: str, days: int
) -> tuple[ApiKey, str]:
    _check_days(days)
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    made = ApiKey.objects.create(
        name=_clean_name(name),
        beginning=key[:SHOWN_CHARACTERS],
        digest=digest_key(key),
        user=owner,
        team=team,
        role=role,
        created_by=get_person(user) if owner is None else None,
        expires_at=Now() + timedelta(days=days),
    )
    made.refresh_from_db()
    record_audit(
        user,
        Action.API_KEY_MAKE,
        made,
        after={
            "owner": owner.get_username() if owner else f"the team {team}",
            "team": str(team) if team else None,
            "role": role or None,
            "expires_at": made.expires_at.isoformat(),
        },
    )
    logger.info("API key %s was made.", made.pk, extra={"action": "api_key_made"})
    return made, key


def _check_days(days: int) -> None:
    if not 1 <= days <= MAX_DAYS:
        raise ValidationError({"days": f"A key is valid for 1 to {MAX_DAYS} days."})


def _clean_name(name: str) -> str:
    cleaned = " ".join(name.split())
    if not cleaned:
        raise ValidationError({"name": "Say what the key is for."})
    if len(cleaned) > MAX_NAME_CHARACTERS:
        raise ValidationError({"name": f"A name has at most {MAX_NAME_CHARACTERS} characters."})
    if escape_line(cleaned) != cleaned:
        raise ValidationError({"name": "A name has no control characters."})
    return cleaned


def revoke_api_key(user: User | System, key: ApiKey) -> bool:
    """End the key at once, in every process; return False if it had ended before.

    Raises PermissionDenied for the key of another person, or of a team whose keys the person does not manage.
    """
    refuse_key(user)
    if key.user_id is None:
        require(user, "tokens.manage_keys", key.team)
    elif not _is_own(user, key.user_id):
        require(user, "tokens.delete_apikey")
    return bool(_end(user, ApiKey.objects.filter(pk=key.pk), key))


def end_api_keys(user: User | System, person: User) -> int:
    """End all API keys of the person; return how many. Raises PermissionDenied for another person's keys."""
    refuse_key(user)
    if not _is_own(user, person.pk):
        require(user, "tokens.delete_apikey")
    return _end(user, ApiKey.objects.filter(user=person), person)


def _is_own(user: User | System, owner_id: int) -> bool:
    return not isinstance(user, System) and user.pk == owner_id


@transaction.atomic
def _end(user: User | System, keys: QuerySet[ApiKey], ended: ApiKey | User) -> int:
    named = AuditedObject.of(ended)
    number: int = keys.delete()[0]
    if number:
        record_audit(user, Action.API_KEY_END, named, after={"keys": number})
        person = get_person(user)
        by = "A command" if person is None else f"User {person.pk}"
        logger.info("%s ended %d API keys.", by, number, extra={"action": "api_keys_ended"})
    return number


def count_api_keys(person: User) -> int:
    return ApiKey.objects.filter(user=person).live().count()


def find_api_key(key: str, address: str | None) -> tuple[User, ApiKey] | None:
    """Return who acts by the key, with its limits, and the key, if it may be used now; note the use.

    Nothing about it is kept in memory.
    """
    if len(key) > MAX_KEY_CHARACTERS or not re.fullmatch(r"[\w-]+", key, re.ASCII):
        return None
    due = Q(last_used_at=None) | Q(last_used_at__lt=Now() - USED_EVERY)
    found: ApiKey | None = (
        _find_usable()
        .annotate(is_use_due=ExpressionWrapper(due, output_field=BooleanField()))
        .filter(digest=digest_key(key))
        .first()
    )
    if found is None:
        return None
    if vars(found)["is_use_due"]:
        _note_use(ApiKey.objects.filter(due, pk=found.pk), address)
    return _act_by(found), found


def _act_by(key: ApiKey) -> User:
    user = _find_actor(key)
    setattr(user, BY_KEY, key.pk)
    attach_limits(user, KeyLimits(team_id=key.team_id, role=key.role or None))
    return user


def read_again(user: User) -> User | None:
    """Return the person with the rights of this moment, and with the key by which they speak; None if they may not act.

    For an operation that has waited since it checked a permission.
    """
    return find_actor(user.pk, get_api_key_id(user))


def find_actor(person_id: int, key_id: UUID | None) -> User | None:
    """Return who asked for something that is done now, as `read_again` does: the person, or the key if there is one."""
    if key_id is None:
        return User.objects.filter(pk=person_id, is_active=True).first()
    key = _find_usable().filter(pk=key_id).first()
    return _act_by(key) if key is not None else None


def _find_usable() -> ApiKeyQuerySet:
    # The database's clock decides for all processes.
    usable = ApiKey.objects.live().filter(Q(user=None) | Q(user__is_active=True, user__is_staff=True))
    return usable.select_related("user", "created_by")


def _note_use(key: QuerySet[ApiKey], address: str | None) -> None:
    try:
        with transaction.atomic():
            key.update(last_used_at=Now(), last_used_from=address)
    except (OperationalError, InternalError) as error:
        # A standby and a full disk take no changes. What only reads goes on.
        logger.debug("The use of an API key was not noted: %s", error)


def _find_actor(key: ApiKey) -> User:
    if key.user is not None:
        return key.user
    # Whoever made a key of a team may have left, or may have another role now. The key has the role of its own, and
    # nothing else of the person. This object is never saved.
    maker = cast("User", key.created_by)
    maker.is_active = maker.is_staff = True
    maker.is_superuser = False
    set_roles(maker, {cast("UUID", key.team_id): key.role})
    setattr(maker, FOR_TEAM, True)
    return maker


def get_api_key_id(user: User | System) -> UUID | None:
    """Return the id of the key by which the person speaks; None in a session."""
    # Not by vars(): the user of a page is a lazy object with attributes of its own.
    return getattr(user, BY_KEY, None)


def speaks_for_team(user: User | System) -> bool:
    """Return whether a key of a team speaks, and the person is only who made it."""
    return getattr(user, FOR_TEAM, False)


def refuse_key(user: User | System) -> None:
    if get_api_key_id(user) is not None:
        raise PermissionDenied(
            "API keys are made and ended in a browser, or by a command, and not with a key."
        )
