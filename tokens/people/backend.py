"""The authentication backend: passwords, and what a person may do."""

from typing import Any

from allauth.account.auth_backends import AuthenticationBackend
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.http import HttpRequest

from tokens.models.team import find_teams, list_permissions
from tokens.sign_in.passwords import may_use_password


class RoleBackend(AuthenticationBackend):
    """Answers `user.has_perm(permission, obj)` from the role of the person in the team of the object.

    Without an object, the answer is whether any team of the person allows it. What has no team is for superusers alone,
    and permissions that are given to a person or group in Django's way mean nothing.
    """

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> User | None:
        # The last check, for every page and program that asks for a password. Single sign-on does not come here.
        user: User | None = super().authenticate(request, **credentials)
        return user if user is None or may_use_password(user) else None

    def has_perm(self, user_obj: AbstractBaseUser | AnonymousUser, perm: str, obj: Any = None) -> bool:
        teams = find_teams(user_obj, perm)
        if obj is None:
            return not isinstance(teams, frozenset) or bool(teams)
        return getattr(obj, "team_id", None) in teams

    def has_module_perms(self, user_obj: AbstractBaseUser | AnonymousUser, app_label: str) -> bool:
        return any(name.startswith(f"{app_label}.") for name in self.get_all_permissions(user_obj))

    def get_all_permissions(self, user_obj: AbstractBaseUser | AnonymousUser, obj: Any = None) -> set[str]:
        if not isinstance(user_obj, User) or not user_obj.is_active or obj is not None:
            return set()
        if user_obj.is_superuser:
            every: set[str] = super().get_all_permissions(user_obj)
            return every
        return set(list_permissions(user_obj))
