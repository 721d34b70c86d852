"""The page of an invitation: what it is to, and accepting it with a login that is there or with a new one."""

import logging
from http import HTTPStatus
from typing import Any, cast

from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.forms import UserCreationForm
from django.contrib.auth.models import User
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from dashboard.frame.page import INVALID_FORM, SeeOther
from tokens.models import Invitation
from tokens.people.invitations import (
    InvitationVoidError,
    accept_as_new_person,
    accept_invitation,
    digest_link,
    find_invitation,
    has_login,
    name_inviter,
)
from tokens.sign_in.adapters import answer_too_many
from tokens.sign_in.hashing import INVITATION_KEY
from tokens.sign_in.passwords import may_use_password
from tokens.sign_in.remote_address import read_remote_address
from tokens.sign_in.throttle import Attempt

logger = logging.getLogger("tokens.sign_in")


class LoginForm(UserCreationForm):  # type: ignore[type-arg]
    """A user name that nobody has, and a password that Django's validators allow."""

    usable_password = None

    def __init__(self, invitation: Invitation, data: Any = None) -> None:
        # The validators compare the password with the address too.
        super().__init__(data, instance=User(email=invitation.email))
        self.fields["password1"].help_text = "At least 8 characters, and nothing that is easily guessed."
        self.fields["password2"].help_text = ""


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest) -> HttpResponse:
    """Show the invitation; accept it, as the person who is signed in, with POST."""
    if "key" in request.GET:
        return _open(request)
    found = find_invitation(_read_digest(request))
    if found is None:
        return _refuse(request)
    if request.method == "POST" and isinstance(request.user, User):
        try:
            team = accept_invitation(request.user, _read_digest(request))
        except InvitationVoidError:
            return _refuse(request)
        del request.session[INVITATION_KEY]
        messages.success(request, f"You are a member of {team} now.")
        return SeeOther(settings.LOGIN_REDIRECT_URL)
    return _show(request, found)


@never_cache
@require_http_methods(["GET", "POST"])
def make_login(request: HttpRequest) -> HttpResponse:
    """Make a login for the person who is invited, and sign them in."""
    if request.method == "GET" or request.user.is_authenticated:
        return redirect("invitation")
    found = find_invitation(_read_digest(request))
    if found is None:
        return _refuse(request)
    if has_login(found) or not may_use_password(request.user):
        # The page says how to accept instead.
        return redirect("invitation")
    form = LoginForm(found, request.POST)
    if not form.is_valid():
        return _show(request, found, form)
    name = form.cleaned_data["username"]
    try:
        person = accept_as_new_person(_read_digest(request), name, form.cleaned_data["password1"])
    except InvitationVoidError:
        return _refuse(request)
    except IntegrityError:
        form.add_error("username", "Somebody has taken this name just now.")
        return _show(request, found, form)
    del request.session[INVITATION_KEY]
    return cast("HttpResponse", perform_password_login(request, {"username": name}, Login(user=person)))


def _open(request: HttpRequest) -> HttpResponse:
    """Take the secret out of the address, so that no other page, form or log has it. Nothing is accepted yet."""
    address = read_remote_address(request)
    attempt = Attempt.make_for_link("invitation", address)
    if seconds := attempt.seconds_to_wait():
        logger.warning("Throttled an invitation from %s for %d s.", address, seconds)
        return answer_too_many(request, seconds)
    digest = digest_link(request.GET["key"])
    if find_invitation(digest) is None:
        return _refuse(request)
    attempt.give_back()
    request.session[INVITATION_KEY] = digest
    response = redirect("invitation")
    response["Referrer-Policy"] = "no-referrer"
    return response


def _read_digest(request: HttpRequest) -> str:
    return str(request.session.get(INVITATION_KEY, ""))


def _show(request: HttpRequest, found: Invitation, form: LoginForm | None = None) -> HttpResponse:
    context = {
        "invitation": found,
        "inviter": name_inviter(found),
        "has_login": has_login(found),
        "form": form or LoginForm(found),
    }
    status = INVALID_FORM if form is not None else HTTPStatus.OK
    return render(request, "dashboard/sign_in/invitation_page.html", context, status=status)


def _refuse(request: HttpRequest) -> HttpResponse:
    request.session.pop(INVITATION_KEY, None)
    return render(request, "dashboard/sign_in/invitation_void_page.html", status=HTTPStatus.GONE)
