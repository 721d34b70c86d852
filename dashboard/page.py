"""The one door of all pages: who may come in, and the frame around them."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, Concatenate, ParamSpec, cast

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.utils.cache import patch_vary_headers

Arguments = ParamSpec("Arguments")


class StaffRequest(HttpRequest):
    """What `staff_page` guarantees."""

    user: User


def staff_page(
    permission: str,
) -> Callable[
    [Callable[Concatenate[StaffRequest, Arguments], HttpResponseBase]], Callable[..., HttpResponse]
]:
    """Let in signed-in staff with the permission; the login asks the others, and 403 says what is missing."""

    def decorate(
        view: Callable[Concatenate[StaffRequest, Arguments], HttpResponseBase],
    ) -> Callable[..., HttpResponse]:
        @wraps(view)
        def checked(
            request: StaffRequest, *args: Arguments.args, **kwargs: Arguments.kwargs
        ) -> HttpResponseBase:
            require(request.user, permission)
            return view(request, *args, **kwargs)

        return cast("Callable[..., HttpResponse]", admin.site.admin_view(checked))

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
