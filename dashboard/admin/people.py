"""Users, sessions and API keys."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, cast

from allauth.mfa.base.internal.flows import delete_dangling_recovery_codes
from allauth.mfa.models import Authenticator
from django.contrib import admin, messages
from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from dashboard.admin.erasing import ErasingAdmin
from dashboard.admin.read_only import BigTableAdmin, StrictAdmin, VisibleRowsAdmin
from dashboard.frame.page import ConsoleRequest, SeeOther, page
from tokens.models import ApiKey, Session, Team
from tokens.people.audit import Action
from tokens.people.end_access import end_sessions
from tokens.people.keys import count_api_keys, end_api_keys, revoke_api_key
from tokens.people.roles import Role
from tokens.permissions import may


@admin.register(User)
class PersonAdmin(ErasingAdmin, StrictAdmin, UserAdmin, ModelAdmin):  # type: ignore[misc, type-arg]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    audited_fields = ("username", "is_active", "is_staff", "is_superuser")
    # Roles in teams say what people may do. Groups and permissions of Django's mean nothing.
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Personal info", {"fields": ("first_name", "last_name", "email")}),
        ("Rights", {"fields": ("is_active", "is_staff", "is_superuser")}),
        ("Important dates", {"fields": ("last_login", "date_joined")}),
    )
    filter_horizontal = ()
    list_filter = ("is_staff", "is_superuser", "is_active")
    actions = ["erase"]
    actions_detail = ["erase_person"]

    def get_urls(self) -> list[URLPattern]:
        end_keys = self.admin_site.admin_view(self.end_keys)
        return [path("<person_id>/end-keys/", end_keys, name="auth_user_end_keys"), *super().get_urls()]

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:  # noqa: FBT001
        super().save_model(request, obj, form, change)
        # Whoever leaves must be kept out at once, so this refuses nothing.
        administered = Team.objects.filter(memberships__user=obj, memberships__role=Role.ADMINISTRATOR)
        if left := list(administered.without_administrator()):
            names = ", ".join(f"“{team}”" for team in left)
            messages.warning(request, f"Nobody administers {names} now. Name somebody on the page of teams.")

    def user_change_password(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        with transaction.atomic():
            response: HttpResponse = super().user_change_password(request, *args, **kwargs)
        is_changed = request.method == "POST" and response.status_code == HTTPStatus.FOUND
        person = self.get_object(request, kwargs["id"]) if is_changed else None
        if person is None or not count_api_keys(person):
            return response
        if person.pk == request.user.pk:
            return redirect(f"{reverse('sessions')}?after=password")
        if may(request.user, "tokens.delete_apikey"):
            return redirect("admin:auth_user_end_keys", person.pk)
        return response

    def choose_action(self, request: HttpRequest, action: str) -> str:
        match = request.resolver_match
        is_password = match is not None and match.url_name == "auth_user_password_change"
        return Action.PASSWORD_CHANGE if is_password else action

    def end_keys(self, request: HttpRequest, person_id: str) -> HttpResponse:
        """After the password of another person was changed: offer to end the person's API keys."""
        person = self.get_object(request, person_id)
        if person is None or not self.has_change_permission(request, person):
            raise PermissionDenied
        back = reverse("admin:auth_user_change", args=[person.pk])
        if request.method == "POST":
            number = end_api_keys(cast("User", request.user), person)
            messages.success(request, f"API keys of {person} that are ended: {number}.")
            return SeeOther(back)
        context = {
            "person": person,
            "api_keys": count_api_keys(person),
            "back": back,
            "confirm_body": "dashboard/sessions/person_keys.html",
        }
        return page(
            cast("ConsoleRequest", request), "dashboard/frame/confirm_page.html", context, title="API keys"
        )


@admin.register(Session)
class SessionAdmin(VisibleRowsAdmin):
    """Superusers see everybody's sessions here and end them. The key of a session is in no row."""

    list_display = ["user", "browser", "address", "started_at", "seen_at"]
    list_select_related = ["user"]
    fields = ["user", "browser", "user_agent", "address", "started_at", "seen_at"]
    readonly_fields = fields
    search_fields = ["user__username", "=address"]
    ordering = ["-seen_at", "-id"]
    actions = ["end"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Session]:
        rows: QuerySet[Session] = super().get_queryset(request).filter(user__isnull=False).defer("data")
        return rows

    @admin.action(description="End these sessions", permissions=["view"])
    def end(self, request: HttpRequest, sessions: QuerySet[Session]) -> None:
        number = end_sessions(cast("User", request.user), sessions)
        self.message_user(request, f"{number} session{'' if number == 1 else 's'} ended.")


@admin.register(ApiKey)
class ApiKeyAdmin(VisibleRowsAdmin):
    """API keys can be seen and revoked here. They are made on the page of keys, which shows a key once."""

    list_display = ["beginning", "name", "user", "team", "role", "created_at", "expires_at", "last_used_at"]
    list_select_related = ["user", "team"]
    fields = [
        "beginning",
        "name",
        "user",
        "team",
        "role",
        "created_by",
        "created_at",
        "expires_at",
        "last_used_at",
        "last_used_from",
    ]
    readonly_fields = fields
    search_fields = ["user__username", "name", "=beginning"]

    def has_delete_permission(self, request: HttpRequest, _obj: Model | None = None) -> bool:
        return may(request.user, "tokens.delete_apikey")

    def record(self, _request: HttpRequest, _verb: str, _rows: Iterable[Model]) -> None:
        """Leave the audit trail to `revoke_api_key`."""

    def delete_model(self, request: HttpRequest, obj: ApiKey) -> None:
        revoke_api_key(cast("User", request.user), obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        for key in queryset.select_related("user", "team"):
            revoke_api_key(cast("User", request.user), key)


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
        return may(request.user, "mfa.view_authenticator")

    def log_deletions(self, request: HttpRequest, queryset: Iterable[Authenticator]) -> None:
        self.record(request, "delete", queryset)
        # Not by the name of the factor, which its person has typed: an erasure of the person would not find it.
        LogEntry.objects.bulk_create(
            LogEntry(
                user=cast("User", request.user),
                content_type=ContentType.objects.get_for_model(Authenticator),
                object_id=str(factor.pk),
                object_repr=f"{factor.get_type_display()} of {factor.user}",
                action_flag=DELETION,
                change_message="",
            )
            for factor in queryset
        )

    def choose_action(self, _request: HttpRequest, _action: str) -> str:
        return Action.SECOND_FACTOR_REMOVE

    def delete_model(self, request: HttpRequest, obj: Authenticator) -> None:
        super().delete_model(request, obj)
        delete_dangling_recovery_codes(obj.user)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Authenticator]) -> None:
        people = list(User.objects.filter(pk__in=queryset.values("user")))
        super().delete_queryset(request, queryset)
        for person in people:
            delete_dangling_recovery_codes(person)
