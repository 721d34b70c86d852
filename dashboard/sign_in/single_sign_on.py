"""Single sign-on: the way to the provider, the return from it, the link of a person to it, and the question who it is."""

import logging
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import cast

from allauth.account.internal.flows.reauthentication import (
    is_reauthentication_required,
    raise_if_reauthentication_required,
    resume_request,
)
from allauth.account.utils import get_next_redirect_url
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.providers.base import AuthProcess
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.log import log_response
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from amazon_accounts.postgresql.clock import approximate_now
from amazon_accounts.web.links import build_link
from amazon_accounts.web.requests import is_at_another_host
from tokens.sign_in.adapters import answer_too_many, record_refused_sign_in
from tokens.sign_in.oidc import reauthentication
from tokens.sign_in.oidc.calls import PAUSE_SECONDS, one_deadline
from tokens.sign_in.oidc.errors import ProviderDownError, SignOnError
from tokens.sign_in.oidc.links import find_link, may_unlink, unlink
from tokens.sign_in.oidc.provider import ProviderAdapter
from tokens.sign_in.remote_address import read_remote_address
from tokens.sign_in.throttle import Attempt

logger = logging.getLogger("tokens.sign_in")

View = Callable[[HttpRequest], HttpResponse]


class PrefetchError(SignOnError):
    status = HTTPStatus.TOO_EARLY
    why = "The browser only prepares this page. Nothing was done."


def if_configured(view: View) -> View:
    @wraps(view)
    def checked(request: HttpRequest) -> HttpResponse:
        if not settings.OIDC_SERVER_URL:
            raise Http404
        return view(request)

    return checked


@never_cache
@if_configured
@require_POST
def begin(request: HttpRequest) -> HttpResponse:
    next_url = get_next_redirect_url(request)
    query = f"?{urlencode({'next': next_url})}" if next_url else ""
    return _go_to_provider(request, AuthProcess.LOGIN, next_url, begun_at=reverse("account_login") + query)


@never_cache
@if_configured
@login_required
def begin_link(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        # allauth comes back by GET if its page that asks for the password again was left and opened anew.
        return redirect("security")
    raise_if_reauthentication_required(request, app="allauth.socialaccount")
    here = reverse("security")
    return _go_to_provider(request, AuthProcess.CONNECT, here, begun_at=here)


@never_cache
@if_configured
@login_required
def end_link(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return redirect("security")
    raise_if_reauthentication_required(request, app="allauth.socialaccount")
    user = cast("User", request.user)
    if unlink(user):
        messages.success(request, "Single sign-on does not sign you in any more.")
    elif not may_unlink(user):
        messages.error(request, "Without a password, single sign-on is your only way in. It stays.")
    return redirect("security")


@never_cache
@if_configured
@login_required
def reauthenticate(request: HttpRequest) -> HttpResponse:
    """Have the provider ask a signed-in person again, and go on with what the person was about to do."""
    if not is_reauthentication_required(request, app="allauth.socialaccount"):
        return resume_request(request) or redirect("security")
    next_url = get_next_redirect_url(request) or reverse("security")
    link = find_link(cast("User", request.user))
    if request.method != "POST" or link is None:
        context = {"link": link, "next_url": next_url}
        status = HTTPStatus.OK if link else HTTPStatus.FORBIDDEN
        return render(request, "dashboard/sign_in/reauthenticate_page.html", context, status=status)
    here = f"{request.path}?{urlencode({'next': next_url})}"
    return _go_to_provider(
        request,
        reauthentication.PROCESS,
        here,
        begun_at=here,
        auth_params=dict(reauthentication.PARAMETERS),
        asked_at=approximate_now().timestamp(),
    )


@never_cache
@if_configured
@require_GET
@one_deadline()
def callback(request: HttpRequest) -> HttpResponse:
    try:
        if "prefetch" in request.headers.get("Sec-Purpose", request.headers.get("Purpose", "")):
            raise PrefetchError("a prefetch")
        finish = OAuth2CallbackView.adapter_view(ProviderAdapter(request, settings.OIDC_SERVER_URL))
        response = cast("HttpResponse", finish(request))
    except SignOnError as error:
        response = _refuse(request, error)
    # The address holds the code and the state, so no request may name it.
    response["Referrer-Policy"] = "strict-origin"
    return response


def _go_to_provider(
    request: HttpRequest, process: str, next_url: str | None, *, begun_at: str, **options: object
) -> HttpResponse:
    """Send the browser to the provider. Who is at another host name than PUBLIC_URL begins there once more."""
    if is_at_another_host(request):
        # The provider sends the browser back to PUBLIC_URL, where the session of this host name does not exist.
        return _go_on(request, build_link(begun_at), is_provider=False)
    seconds = Attempt.make_for_start("single sign-on", read_remote_address(request)).seconds_to_wait()
    if seconds:
        logger.warning("Throttled a single sign-on from %s for %d s.", read_remote_address(request), seconds)
        return answer_too_many(request, seconds)
    provider = get_adapter().get_provider(request, settings.OIDC_SERVER_URL)
    try:
        # Not `redirect_from_request`, which takes scopes and parameters from the address.
        with one_deadline():
            address = provider.redirect(request, process=process, next_url=next_url, **options).url
    except SignOnError as error:
        return _refuse(request, error)
    return _go_on(request, address, is_provider=True)


def _go_on(request: HttpRequest, address: str, *, is_provider: bool) -> HttpResponse:
    # Not a redirect: `form-action` of the Content Security Policy applies to all redirects after a form.
    response = render(
        request, "dashboard/sign_in/go_on_page.html", {"address": address, "is_provider": is_provider}
    )
    response["Referrer-Policy"] = "no-referrer"
    return response


def _refuse(request: HttpRequest, error: SignOnError) -> HttpResponse:
    if not isinstance(error, PrefetchError):
        signed_in = request.user if isinstance(request.user, User) else None
        record_refused_sign_in(signed_in, f"single sign-on: {type(error).__name__}")
    response = render(
        request, "dashboard/sign_in/not_signed_in_page.html", {"why": error.why}, status=error.status
    )
    if isinstance(error, ProviderDownError):
        response["Retry-After"] = str(PAUSE_SECONDS)
    # Django writes a line of its own for an answer that has no line yet.
    log_response(
        "Refused a single sign-on from %s: %s.",
        read_remote_address(request),
        error,
        response=response,
        request=request,
        logger=logger,
        level="warning",
    )
    return response
