"""The one site: Django's admin and the pages share its frame, login and menu."""

import hashlib
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, cast

from allauth.account import views
from django.contrib.admin import ModelAdmin
from django.contrib.auth.views import redirect_to_login
from django.core.cache import cache
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url
from django.urls import URLPattern, path
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.generic import RedirectView
from unfold.admin import ModelAdmin as ThemedModelAdmin
from unfold.sites import UnfoldAdminSite

from amazon_accounts import __version__
from dashboard.frame.menu import find_home


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

    def _search_apps(self, _app_list: list[dict[str, Any]], _search_term: str) -> list[Any]:
        # The menu is searched, after what people look for more often: see command_search.py.
        return []

    def search(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        answer: HttpResponse = super().search(request, extra_context)
        # Unfold keeps the answer for five minutes. The person's role can end before, and a login can be forgotten.
        kept = f"{request.user.pk}_{request.GET.get('s', '').lower()}"
        cache.delete(f"unfold_search_{hashlib.sha256(kept.encode()).hexdigest()}")
        return answer

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context: dict[str, Any] = super().each_context(request)
        if not request.user.is_authenticated:
            return context
        context |= {
            "home": find_home(request),
            "may_search": context["has_permission"],
            "version": __version__,
        }
        if not context["has_permission"]:
            # The pages of what is a person's own have this frame too. Unfold would leave out its heading and menu.
            context |= {"has_permission": True, "sidebar_navigation": self.get_sidebar_list(request)}
        return context

    # The admin has no pages of its own to log in and out and to change the password: its login would know neither the
    # throttle nor second factors.

    def get_urls(self) -> list[URLPattern]:
        # Before Django's own lines for the same addresses, which let in only staff.
        return [
            path("logout/", views.logout, name="logout"),
            path(
                "password_change/",
                RedirectView.as_view(pattern_name="account_change_password"),
                name="password_change",
            ),
            *super().get_urls(),
        ]

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        back = request.GET.get("next", "")
        if not url_has_allowed_host_and_scheme(back, None):
            back = resolve_url("admin:index")
        return redirect_to_login(back)

    def _get_colors(self, _key: str, _request: HttpRequest) -> dict[str, dict[str, str]]:
        # Unfold would write the colors as an inline style, which our content security policy forbids.
        return {}
