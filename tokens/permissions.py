"""Whether a person may do something. Every operation asks here first.

`accounts/permissions.py` has the groups, and the backend that reads the permissions of a person.
"""

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.core.exceptions import PermissionDenied

# None is the system itself: a scheduled task, or a command run by the operator of the machine.
Actor = AbstractBaseUser | AnonymousUser | None


def may(user: Actor, permission: str) -> bool:
    if user is None:
        return True
    return isinstance(user, User) and user.has_perm(permission)


def require(user: Actor, permission: str) -> None:
    """Raise PermissionDenied, with the name of the permission as its text, unless the actor has it."""
    if not may(user, permission):
        raise PermissionDenied(permission)
