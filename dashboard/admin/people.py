"""Users, groups and API tokens."""

from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from knox.models import AuthToken
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from dashboard.admin.read_only import BigTableAdmin, OfferedLookupsAdmin


@admin.register(User)
class PersonAdmin(OfferedLookupsAdmin, UserAdmin, ModelAdmin):  # type: ignore[type-arg]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(Group)
class PeopleGroupAdmin(OfferedLookupsAdmin, GroupAdmin, ModelAdmin):
    pass


def _token_name(token: AuthToken) -> str:
    return f"{token.token_key}… of {token.user}"


# Knox names a token by its stored digest, which would appear in headings, messages and the log of the admin.
AuthToken.__str__ = _token_name


@admin.register(AuthToken)
class ApiTokenAdmin(BigTableAdmin):
    """API tokens can be seen and revoked here. `manage.py api_token` makes them, because it shows a token once."""

    list_display = ["token_key", "user", "created", "expiry"]
    list_select_related = ["user"]
    fields = ["token_key", "user", "created", "expiry"]
    readonly_fields = fields
    search_fields = ["user__username"]

    def has_add_permission(self, _request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: AuthToken | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, _obj: AuthToken | None = None) -> bool:
        return bool(request.user.has_perm("knox.view_authtoken"))


@admin.register(Authenticator)
class SecondFactorAdmin(BigTableAdmin):
    """Shows and deletes second factors, for a person who has lost the device. The secrets are not shown."""

    list_display = ["user", "type", "created_at", "last_used_at"]
    list_select_related = ["user"]
    fields = list_display
    readonly_fields = list_display
    search_fields = ["user__username"]

    def has_add_permission(self, _request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: Authenticator | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, _obj: Authenticator | None = None) -> bool:
        return bool(request.user.has_perm("mfa.view_authenticator"))
