"""Where django-allauth asks this project: what happens before and after a person signs in."""

import logging
import time
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.core.exceptions import ImmediateHttpResponse
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from tokens.sign_in.known_browser import KnownBrowser
from tokens.sign_in.remote_address import read_remote_address
from tokens.sign_in.throttle import Attempt

logger = logging.getLogger("tokens.sign_in")

MAX_LOGGED_LENGTH = 150
# Seconds, as in allauth.
REAUTHENTICATION_TIMEOUT = 300


class AccountAdapter(DefaultAccountAdapter):
    _attempt: Attempt | None = None

    def is_open_for_signup(self, _request: HttpRequest) -> bool:
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        return read_remote_address(request) or "unknown"

    def is_reauthentication_required(self, *, app: str, **options: Any) -> bool:
        if not super().is_reauthentication_required(app=app, **options):
            return False
        user = self.request.user
        # Straight after a sign-in nobody is asked again. Somebody without a password and factor has nothing to show.
        records = get_authentication_records(self.request, user)
        is_fresh = bool(records) and time.time() - records[-1]["at"] < REAUTHENTICATION_TIMEOUT
        return not is_fresh and bool(self.get_reauthentication_methods(user))

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        # Before any hash is computed. allauth's own check does not say how long to wait, and locks out the person.
        name = str(credentials.get("username", ""))
        address = read_remote_address(request)
        self._attempt = Attempt.make(name, address, KnownBrowser.read(request).id_for(name))
        seconds = self._attempt.seconds_to_wait()
        if seconds:
            logger.warning("Throttled a sign-in as %s from %s for %d s.", _quote(name), address, seconds)
            raise ImmediateHttpResponse(answer_too_many(request, seconds))

    def _rollback_login_failed_rl_usage(self) -> None:
        # allauth calls it when the password was right.
        if self._attempt is not None:
            self._attempt.give_back()

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        name = str(credentials.get("username", ""))
        logger.warning("Refused a sign-in as %s from %s.", _quote(name), read_remote_address(request))

    def post_login(self, request: HttpRequest, user: AbstractBaseUser, **options: Any) -> HttpResponse:
        response: HttpResponse = super().post_login(request, user, **options)
        steps = [record.get("type", record["method"]) for record in get_authentication_records(request, user)]
        name = user.get_username()
        logger.info(
            "Signed in %s from %s by %s.", _quote(name), read_remote_address(request), ", ".join(steps)
        )
        KnownBrowser.read(request).remember(name, response)
        return response

    def add_message(
        self,
        request: HttpRequest,
        level: int,
        message_template: str | None = None,
        *args: Any,
        **options: Any,
    ) -> None:
        # The page that opens shows by itself that somebody has signed in or out.
        if message_template not in {"account/messages/logged_in.txt", "account/messages/logged_out.txt"}:
            super().add_message(request, level, message_template, *args, **options)


def answer_too_many(request: HttpRequest, seconds: int) -> HttpResponse:
    """Return the page that says how long to wait, with `Retry-After`."""
    response = render(request, "429.html", {"seconds": seconds}, status=429)
    response["Retry-After"] = str(seconds)
    return response


def _quote(name: str) -> str:
    # Typed by anybody: control characters are escaped, and a long text is cut.
    return ascii(name[:MAX_LOGGED_LENGTH])
