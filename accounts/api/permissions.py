"""The permission of an operation, checked before anything of the request is read."""

from typing import TYPE_CHECKING

from django.core.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from tokens.permissions import may

if TYPE_CHECKING:
    # REST framework imports this module by its name in the settings.
    from rest_framework.views import APIView


class HoldsPermission(BasePermission):
    """Refuse people who may not do what the address does, before their body is read.

    The operation checks again, for the object and for what the body says.
    """

    def has_permission(self, request: Request, view: "APIView") -> bool:
        handler = getattr(view, (request.method or "").lower(), None)
        needed: tuple[str, ...] = getattr(handler, "any_permission_of", ())
        if not needed or any(may(request.user, permission) for permission in needed):
            return True
        if request.user.is_anonymous:
            return False
        raise PermissionDenied(needed[0] if len(needed) == 1 else _describe_any(needed))


def _describe_any(permissions: tuple[str, ...]) -> str:
    *others, last = permissions
    return f"You may not do this. It needs one of the permissions {', '.join(others)} or {last}."
