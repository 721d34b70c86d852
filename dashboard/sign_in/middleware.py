"""Before a view runs: people without a required second factor are kept out, and passwords are hashed elsewhere."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django_htmx.http import HttpResponseClientRedirect

from accounts.api.problems import build_response as build_problem_response
from amazon_accounts.web.problems import SECOND_FACTOR_REQUIRED
from amazon_accounts.web.requests import PROBES
from dashboard.frame.page import ConsoleRequest
from dashboard.sign_in.context import PREFIX
from tokens.sign_in.hashing import may_hash, move_to_hashing_lane, will_hash
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
                SECOND_FACTOR_REQUIRED, "Set up a second factor first, on the page /auth/2fa/."
            )
        # Who is no member of staff sees nothing yet, and reads on the next page whom to ask.
        if not request.user.is_staff:
            return self.get_response(request)
        set_up = f"{reverse('mfa_index')}?required=1"
        return HttpResponseClientRedirect(set_up) if request.htmx else HttpResponseRedirect(set_up)


class HashingMiddleware:
    """Moves a request that will hash a password to where hashing is allowed, before its view has any effect."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_view: Any) -> HttpResponse | None:
        if may_hash(request) or not will_hash(request):
            return None
        return move_to_hashing_lane(request, is_known=True)
