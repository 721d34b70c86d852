"""Whether a person may do something. Every operation asks here first.

`accounts/permissions.py` has the groups, and the backend that reads the permissions of a person. Which rows a person
sees is the method `visible_to` of each model's queryset.
"""

from typing import Final

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.core.exceptions import PermissionDenied


class System:
    """The product itself, not a person: a scheduled task, or a command run by the operator of the machine."""


# The system may do everything. It is not None, so that a None passed by mistake may do nothing.
SYSTEM: Final = System()

Actor = AbstractBaseUser | AnonymousUser | System


def may(user: Actor, permission: str) -> bool:
    if isinstance(user, System):
        return True
    return isinstance(user, User) and user.has_perm(permission)


def get_person(user: User | System) -> User | None:
    """Return the person for a row that records who asked; None for the system."""
    return None if isinstance(user, System) else user


def require(user: Actor, permission: str) -> None:
    """Raise PermissionDenied, with the name of the permission as its text, unless the actor has it."""
    if not may(user, permission):
        raise PermissionDenied(permission)
