"""The one site: Django's admin and the pages share its frame, login and menu."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, cast

from allauth.account import views
from django.contrib.admin import ModelAdmin
from django.contrib.auth.views import redirect_to_login
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from unfold.admin import ModelAdmin as ThemedModelAdmin
from unfold.sites import UnfoldAdminSite


class ConsoleSite(UnfoldAdminSite):
    site_title = "Amazon Accounts"
    index_title = "Admin"

    def register(
        self,
        model_or_iterable: type[Model] | Iterable[type[Model]],
        admin_class: "type[ModelAdmin[Any]] | None" = None,
        **options: Any,
    ) -> None:
        # Packages register classes of their own, which would look half-styled here, take every lookup in the address
        # of a list, and show what a package stores about people.
        if admin_class is not None and issubclass(admin_class, ThemedModelAdmin):
            super().register(model_or_iterable, admin_class, **options)

    def admin_view(
        self,
        view: Callable[..., HttpResponse],
        cacheable: bool = False,  # noqa: FBT001, FBT002 - Django's signature
    ) -> Callable[..., HttpResponse]:
        guarded = super().admin_view(view, cacheable)

        @wraps(guarded)
        def sign_in_first(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            # Django would send the browser to the address of the admin's login, which leads on to ours.
            if not self.has_permission(request):
                return redirect_to_login(request.get_full_path())
            return cast("HttpResponse", guarded(request, *args, **kwargs))

        return sign_in_first

    # The admin has no pages of its own for these three: its login would know neither the throttle nor second factors.

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        back = request.GET.get("next", "")
        if not url_has_allowed_host_and_scheme(back, None):
            back = resolve_url("admin:index")
        return redirect_to_login(back)

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return cast("HttpResponse", views.logout(request))

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return redirect("account_change_password")

    def _get_colors(self, _key: str, _request: HttpRequest) -> dict[str, dict[str, str]]:
        # Unfold would write the colors as an inline style, which our content security policy forbids.
        return {}
