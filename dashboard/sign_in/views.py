"""The login, which also says who gives rights, and the page of everything that concerns a person's sign-in."""

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from allauth.account import views
from allauth.mfa.webauthn.views import login_webauthn
from django.contrib.admin import site
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache

from tokens.sign_in.adapters import answer_passwords_are_off, answer_too_many
from tokens.sign_in.oidc.links import find_link, may_unlink
from tokens.sign_in.passwords import may_use_password
from tokens.sign_in.remote_address import read_remote_address
from tokens.sign_in.throttle import Attempt

logger = logging.getLogger("tokens.sign_in")


@never_cache
def login(request: HttpRequest) -> HttpResponse:
    # allauth would send a signed-in person back to the page that has just sent them here.
    if request.user.is_authenticated and not site.has_permission(request):
        return render(request, "dashboard/sign_in/no_rights_page.html", status=403)
    return cast("HttpResponse", views.login(request))


def unless_single_sign_on_only(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Refuse a page of passwords or of the login with a passkey to people who may not use a password."""

    @wraps(view)
    def checked(request: HttpRequest, **options: Any) -> HttpResponse:
        return (
            view(request, **options) if may_use_password(request.user) else answer_passwords_are_off(request)
        )

    return checked


@never_cache
def login_with_passkey(request: HttpRequest) -> HttpResponse:
    # A GET stores a challenge in a new session. allauth limits only what is posted.
    address = read_remote_address(request)
    seconds = 0 if request.method == "POST" else Attempt.make_for_start("passkey", address).seconds_to_wait()
    if seconds:
        logger.warning("Throttled a login with a passkey from %s for %d s.", address, seconds)
        return answer_too_many(request, seconds)
    return cast("HttpResponse", login_webauthn(request))


@never_cache
@login_required
def set_password(request: HttpRequest) -> HttpResponse:
    """Refuse a first password: whoever has none signs in at the provider, and would keep a way past it."""
    return answer_passwords_are_off(request)


@never_cache
@login_required
def security(request: HttpRequest) -> HttpResponse:
    user = cast("User", request.user)
    context = {"title": "Security", "link": find_link(user), "may_unlink": may_unlink(user)}
    return render(request, "dashboard/sign_in/security_page.html", context)
