"""Keeps people without a required second factor out, and leads them to where they set one up."""

from collections.abc import Callable
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django_htmx.http import HttpResponseClientRedirect

from accounts.api.problems import build_response as build_problem_response
from amazon_accounts.web.requests import PROBES
from dashboard.frame.page import ConsoleRequest
from dashboard.sign_in.context import PREFIX
from tokens.sign_in.second_factors import lacks_second_factor


class SecondFactorMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: ConsoleRequest) -> HttpResponse:
        # A probe must not read the session: it answers while the database is away.
        is_open = (
            settings.REQUIRE_MFA == "nobody" or request.path.startswith(PREFIX) or request.path in PROBES
        )
        # A key of the API belongs to a program, which has no second factor, so only sessions are asked.
        if is_open or not lacks_second_factor(request.user):
            return self.get_response(request)
        if request.path.startswith("/api/"):
            return build_problem_response(
                HTTPStatus.FORBIDDEN, "Set up a second factor first, on the page /auth/2fa/."
            )
        set_up = f"{reverse('mfa_index')}?required=1"
        return HttpResponseClientRedirect(set_up) if request.htmx else HttpResponseRedirect(set_up)
