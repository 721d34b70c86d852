"""Whether somebody may do something. Every operation asks here first, with the object that it changes.

`tokens/people/roles.py` has what each role allows. Which rows a person sees is the method `visible_to` of each model's
queryset, and on which rows the person may do something is its method `allowing`.
"""

from copy import copy
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.contrib.auth import get_backends
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.core.exceptions import PermissionDenied


class System:
    """The product itself, not a person: a scheduled task, or a command run by the operator of the machine."""


# The system may do everything. It is not None, so that a None passed by mistake may do nothing.
SYSTEM: Final = System()

Actor = AbstractBaseUser | AnonymousUser | System


@dataclass(frozen=True)
class KeyLimits:
    """What an API key may do at most. None is no limit: the key may do what its owner may at that moment.

    A page that is filtered by team is read with the limit of this team.
    """

    team_id: UUID | None = None
    # One of the keys of `tokens.people.roles.PERMISSIONS`.
    role: str | None = None

    @property
    def is_none(self) -> bool:
        return self.team_id is None and self.role is None


UNLIMITED: Final = KeyLimits()


def attach_limits(user: User, limits: KeyLimits) -> None:
    """Let this object of a person do only what its API key may. Authentication calls this."""
    # By setattr, because the user of a request is a lazy wrapper with a `__dict__` of its own.
    setattr(user, "key_limits", limits)  # noqa: B010 - Django's User has no such attribute


def limit_to_team(user: User, team_id: UUID | None) -> User:
    """Return the person as somebody who sees this team alone, and never more than before; with None the person."""
    limits = read_limits(user)
    if team_id is None or limits.team_id == team_id:
        return user
    if limits.team_id is not None:
        raise ValueError("The person is limited to another team.")
    limited = copy(user)
    attach_limits(limited, KeyLimits(team_id=team_id, role=limits.role))
    return limited


def read_limits(user: User) -> KeyLimits:
    limits: KeyLimits = getattr(user, "key_limits", UNLIMITED)
    return limits


def may(user: Actor, permission: str, obj: Any = None) -> bool:
    """Return whether the actor may do this with the object, or with anything if no object is given."""
    if isinstance(user, System):
        return True
    # Not `user.has_perm`: it lets a superuser do everything, also with a limited key.
    return isinstance(user, User) and any(
        backend.has_perm(user, permission, obj) for backend in get_backends()
    )


def may_everything(user: Actor) -> bool:
    """Return whether this is the system or a superuser, without the limits of a key."""
    if isinstance(user, System):
        return True
    return isinstance(user, User) and user.is_active and user.is_superuser and read_limits(user).is_none


def get_person(user: User | System) -> User | None:
    """Return the person for a row that records who asked; None for the system."""
    return None if isinstance(user, System) else user


def require(user: Actor, permission: str, obj: Any = None) -> None:
    """Raise PermissionDenied, with the name of the permission as its text, unless the actor may do this."""
    if not may(user, permission, obj):
        raise PermissionDenied(permission)
