"""The three groups of the project, and the authentication backend that reads a person's permissions.

`tokens/permissions.py` has the check that every operation makes.
"""

from typing import Any

from allauth.account.auth_backends import AuthenticationBackend
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, Group, Permission, User
from django.db.models import Q
from django.http import HttpRequest

from tokens.sign_in.passwords import may_use_password

VIEWER = [
    "tokens.view_connection",
    "tokens.view_tokenrefresh",
    "tokens.view_alert",
    "accounts.view_account",
    "accounts.view_accountaccess",
    "accounts.view_accountchange",
    "accounts.view_accountmanager",
    "accounts.view_batchitem",
    "accounts.view_batchoperation",
    "accounts.view_profile",
    "accounts.view_syncrun",
]
OPERATOR = [
    *VIEWER,
    "tokens.connect_amazon",
    "tokens.refresh_connection",
    "accounts.disconnect_account",
    "accounts.sync_account",
    "accounts.update_account",
]
ADMINISTRATOR = [
    *OPERATOR,
    "tokens.disconnect_connection",
    "tokens.use_access_token",
    "tokens.view_all_connections",
    "tokens.view_auditentry",
    "accounts.view_all_accounts",
]
GROUPS = {"Viewer": VIEWER, "Operator": OPERATOR, "Administrator": ADMINISTRATOR}


def create_missing_groups(using: str, **_: Any) -> None:
    # Connected to post_migrate, because the permissions exist only after `migrate`. An existing group keeps the
    # permissions that people gave it.
    for name in GROUPS.keys() - set(Group.objects.using(using).values_list("name", flat=True)):
        group = Group.objects.using(using).create(name=name)
        group.permissions.set(_find_permissions(GROUPS[name], using))


def _find_permissions(names: list[str], using: str) -> list[Permission]:
    wanted = Q(pk__in=[])
    for name in names:
        app_label, codename = name.split(".")
        wanted |= Q(content_type__app_label=app_label, codename=codename)
    return list(Permission.objects.using(using).filter(wanted))


class OneQueryBackend(AuthenticationBackend):
    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> User | None:
        # The last check, for every page and program that asks for a password. Single sign-on does not come here.
        user: User | None = super().authenticate(request, **credentials)
        return user if user is None or may_use_password(user) else None

    # Every page and every API request needs the permissions. Django's own backend reads the permissions of the person
    # and the permissions of the groups in two queries.
    def get_all_permissions(self, user_obj: AbstractBaseUser | AnonymousUser, obj: Any = None) -> set[str]:
        if not isinstance(user_obj, User) or not user_obj.is_active or obj is not None:
            return set()
        if user_obj.is_superuser:
            every: set[str] = super().get_all_permissions(user_obj)
            return every
        known: set[str] | None = user_obj.__dict__.get("_known_permissions")
        if known is None:
            granted = Q(user=user_obj.pk) | Q(group__user=user_obj.pk)
            names = Permission.objects.filter(granted).order_by().distinct()
            known = {
                f"{app}.{name}" for app, name in names.values_list("content_type__app_label", "codename")
            }
            user_obj.__dict__["_known_permissions"] = known
        return known
