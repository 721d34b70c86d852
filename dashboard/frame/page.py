"""The one door of all pages: who may come in, and the frame around them."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, Concatenate, ParamSpec, cast
from urllib.parse import urlsplit, urlunsplit

from django.contrib import admin
from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

Arguments = ParamSpec("Arguments")


class StaffRequest(HttpRequest):
    """What `staff_page` guarantees."""

    user: User


def staff_page(
    permission: str,
) -> Callable[
    [Callable[Concatenate[StaffRequest, Arguments], HttpResponseBase]], Callable[..., HttpResponse]
]:
    """Let in signed-in staff with the permission; the login asks the others, and 403 says what is missing.

    Whoever posts without being signed in is led by the login to the page that the button stood on; nothing is done.
    """

    def decorate(
        view: Callable[Concatenate[StaffRequest, Arguments], HttpResponseBase],
    ) -> Callable[..., HttpResponse]:
        @wraps(view)
        def checked(
            request: StaffRequest, *args: Arguments.args, **kwargs: Arguments.kwargs
        ) -> HttpResponseBase:
            require(request.user, permission)
            return view(request, *args, **kwargs)

        page_of_staff = admin.site.admin_view(checked)

        @wraps(view)
        def asked(
            request: StaffRequest, *args: Arguments.args, **kwargs: Arguments.kwargs
        ) -> HttpResponseBase:
            if request.method == "POST" and not admin.site.has_permission(request):
                return redirect_to_login(_came_from(request), reverse("admin:login"))
            return page_of_staff(request, *args, **kwargs)

        return cast("Callable[..., HttpResponse]", asked)

    return decorate


def _came_from(request: HttpRequest) -> str:
    """Return the page of ours that sent the browser here, else the overview."""
    referer = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(referer, {request.get_host()}, require_https=request.is_secure()):
        return reverse("overview")
    address = urlsplit(referer)
    return urlunsplit(("", "", address.path or "/", address.query, ""))


def button_on(
    page_name: str,
) -> Callable[[Callable[..., HttpResponse]], Callable[..., HttpResponseBase]]:
    """Take only POST; whoever opens the address itself is led to the page of the button."""

    def decorate(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def checked(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
            if request.method in {"GET", "HEAD"}:
                return HttpResponseRedirect(reverse(page_name, kwargs=kwargs))
            return require_POST(view)(request, **kwargs)

        return checked

    return decorate


def require(user: User, permission: str) -> None:
    if not user.has_perm(permission):
        raise PermissionDenied(permission)


def is_partial(request: HttpRequest) -> bool:
    """Say whether htmx asks for a piece of the page; a restored history entry wants the whole."""
    return (
        request.headers.get("HX-Request") == "true"
        and request.headers.get("HX-History-Restore-Request") != "true"
    )


def page(
    request: HttpRequest,
    template: str,
    context: dict[str, Any],
    *,
    title: str,
    partial: str = "",
    status: int = 200,
) -> HttpResponse:
    """Answer with the page in the frame, or with `partial` alone when htmx asks."""
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
    """Go there with GET, whatever the method was."""

    status_code = HTTPStatus.SEE_OTHER


def redirect_htmx(request: HttpRequest, url: str) -> HttpResponse:
    """Send the browser to a page, whether the form was posted by htmx or by the browser itself."""
    if request.headers.get("HX-Request") == "true":
        return HttpResponse(headers={"HX-Redirect": url})
    return SeeOther(url)
