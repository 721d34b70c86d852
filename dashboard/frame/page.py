"""What every page view shares: the permission check, the frame, and the answers to htmx."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, Concatenate, ParamSpec, cast
from urllib.parse import urlsplit, urlunsplit

from django.contrib import admin
from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from tokens.permissions import require

Arguments = ParamSpec("Arguments")

# For a form that could be read, but has a value that cannot be used. htmx shows the answer (`updates.js`), and no other
# answer of the 400s.
INVALID_FORM = HTTPStatus.UNPROCESSABLE_ENTITY


class ConsoleRequest(HttpRequest):
    htmx: HtmxDetails


class PersonRequest(ConsoleRequest):
    """What `own_page` hands to its view."""

    user: User


class StaffRequest(PersonRequest):
    """What `staff_page` hands to its view."""


def staff_page(
    permission: str | None = None,
) -> Callable[
    [Callable[Concatenate[StaffRequest, Arguments], HttpResponseBase]], Callable[..., HttpResponse]
]:
    """Let in staff with the permission, or all staff if none is named.

    Strangers are sent to the login, other staff get 403.
    A POST without a session does nothing: the login then leads back to the page with the button.
    """

    def decorate(
        view: Callable[Concatenate[StaffRequest, Arguments], HttpResponseBase],
    ) -> Callable[..., HttpResponse]:
        @wraps(view)
        def view_with_permission(
            request: StaffRequest, *args: Arguments.args, **kwargs: Arguments.kwargs
        ) -> HttpResponseBase:
            if permission is not None:
                require(request.user, permission)
            return view(request, *args, **kwargs)

        staff_view = admin.site.admin_view(view_with_permission)

        @wraps(view)
        def guarded_view(
            request: StaffRequest, *args: Arguments.args, **kwargs: Arguments.kwargs
        ) -> HttpResponseBase:
            if request.method == "POST" and not admin.site.has_permission(request):
                return redirect_to_login(came_from(request))
            return staff_view(request, *args, **kwargs)

        return cast("Callable[..., HttpResponse]", guarded_view)

    return decorate


def own_page(
    view: Callable[Concatenate[PersonRequest, Arguments], HttpResponse],
) -> Callable[..., HttpResponse]:
    """Let in everybody who is signed in, also without any right: for pages of what is the person's own.

    Strangers are sent to the login, which leads back. A POST without a session does nothing.
    """

    @never_cache
    @wraps(view)
    def guarded_view(
        request: ConsoleRequest, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> HttpResponse:
        if request.user.is_authenticated:
            return view(cast("PersonRequest", request), *args, **kwargs)
        return redirect_to_login(came_from(request) if request.method == "POST" else request.get_full_path())

    return cast("Callable[..., HttpResponse]", guarded_view)


def came_from(request: HttpRequest, otherwise: str = "overview") -> str:
    """Return the address of the page that sent the browser here; that of the page `otherwise` if it is not one of ours."""
    # A page of another host may have sent the browser here; nothing may lead there.
    referer = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(referer, {request.get_host()}, require_https=request.is_secure()):
        return reverse(otherwise)
    address = urlsplit(referer)
    return urlunsplit(("", "", address.path or "/", address.query, ""))


def button_on(
    page_name: str,
) -> Callable[[Callable[..., HttpResponse]], Callable[..., HttpResponseBase]]:
    """Take only POST. A browser that opens the address with GET is sent to the page with the button."""

    def decorate(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def checked(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
            if request.method in {"GET", "HEAD"}:
                return HttpResponseRedirect(reverse(page_name, kwargs=kwargs))
            return require_POST(view)(request, **kwargs)

        return checked

    return decorate


def is_partial(request: ConsoleRequest) -> bool:
    """Return whether htmx asks for a piece of the page. To restore its history it asks for the whole page."""
    return bool(request.htmx) and not request.htmx.history_restore_request


def page(
    request: ConsoleRequest,
    template: str,
    context: dict[str, Any],
    *,
    title: str,
    partial: str = "",
    status: int = 200,
) -> HttpResponse:
    """Answer with the page in its frame, or with the template `partial` alone if htmx asks."""
    if partial and is_partial(request):
        response = render(request, partial, {**context, "partial": True}, status=status)
    else:
        request.current_app = admin.site.name
        response = TemplateResponse(
            request, template, {**admin.site.each_context(request), "title": title, **context}, status=status
        )
    patch_vary_headers(response, ["HX-Request", "HX-History-Restore-Request"])
    return response


class SeeOther(HttpResponseRedirect):
    """A redirect that the browser follows with GET, whatever the method was."""

    status_code = HTTPStatus.SEE_OTHER


def redirect_htmx(request: ConsoleRequest, url: str) -> HttpResponse:
    """Send the browser to a page, whether htmx or the browser itself posted the form."""
    return HttpResponseClientRedirect(url) if request.htmx else SeeOther(url)
