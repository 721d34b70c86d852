"""Where django-allauth asks this project: what happens before and after a person signs in."""

import logging
import time
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.core.exceptions import ImmediateHttpResponse
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from tokens.models import AuditEntry
from tokens.people.audit import Action, AuditedObject, record_audit
from tokens.people.groups import follow_groups
from tokens.sign_in.hashing import may_hash, move_to_hashing_lane
from tokens.sign_in.known_browser import KnownBrowser
from tokens.sign_in.oidc import reauthentication
from tokens.sign_in.oidc.links import find_link
from tokens.sign_in.passwords import may_use_password
from tokens.sign_in.remote_address import read_remote_address
from tokens.sign_in.throttle import Attempt

logger = logging.getLogger("tokens.sign_in")

MAX_LOGGED_LENGTH = 150
# Seconds, as in allauth.
REAUTHENTICATION_TIMEOUT = 300
# In the log. Second factors have the names of allauth.
STEPS = {"socialaccount": "single sign-on"}


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
        # Straight after a sign-in nobody is asked again.
        records = get_authentication_records(self.request, user)
        # allauth dates them by the clock of the process, and compares them with it.
        return not records or time.time() - records[-1]["at"] >= REAUTHENTICATION_TIMEOUT  # noqa: TID251

    def get_reauthentication_methods(self, user: AbstractBaseUser | AnonymousUser) -> list[dict[str, Any]]:
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        if not may_use_password(user):
            methods = [method for method in methods if method["id"] != "reauthenticate"]
        # Its page also says that somebody has nothing to show.
        if settings.OIDC_SERVER_URL and isinstance(user, User) and (not methods or find_link(user)):
            address = reverse("single_sign_on_reauthenticate")
            methods.append({"id": "single_sign_on", "description": "Use single sign-on", "url": address})
        return methods

    def pre_login(
        self, request: HttpRequest, user: AbstractBaseUser, *, signal_kwargs: Any, **options: Any
    ) -> HttpResponse | None:
        if signal_kwargs and "sociallogin" in signal_kwargs:
            reauthentication.date_sign_in(request, user, signal_kwargs["sociallogin"])
        response: HttpResponse | None = super().pre_login(
            request, user, signal_kwargs=signal_kwargs, **options
        )
        # Not for a person who is not active, who has got an answer.
        if response is None and isinstance(user, User) and signal_kwargs and "sociallogin" in signal_kwargs:
            follow_groups(user, signal_kwargs["sociallogin"].provider.groups)
        return response

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        # Before any hash is computed. allauth's own check does not say how long to wait, and locks out the person.
        name = str(credentials.get("username", ""))
        address = read_remote_address(request)
        browser = KnownBrowser.read(request).id_for(name)
        self._attempt = Attempt.make(name, address, browser)
        # The turn is taken where the password is hashed.
        seconds = self._attempt.seconds_to_wait(takes_turn=may_hash(request))
        if seconds:
            logger.warning("Throttled a sign-in as %s from %s for %d s.", quote_name(name), address, seconds)
            raise ImmediateHttpResponse(answer_too_many(request, seconds))
        if not may_hash(request):
            raise ImmediateHttpResponse(move_to_hashing_lane(request, is_known=browser is not None))

    def _rollback_login_failed_rl_usage(self) -> None:
        # allauth calls it when the password was right.
        if self._attempt is not None:
            self._attempt.give_back()

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        name = str(credentials.get("username", ""))
        # A person who is signed in is asked again before second factors, single sign-on or keys are changed.
        is_again = request.user.is_authenticated
        logger.warning(
            "Refused %s %s from %s.",
            "the password that was asked again of" if is_again else "a sign-in as",
            quote_name(name),
            read_remote_address(request),
        )
        record_refused_sign_in(find_person(name), "password, asked again" if is_again else "password")

    def respond_user_inactive(self, request: HttpRequest, user: AbstractBaseUser) -> HttpResponse:
        name, address = user.get_username(), read_remote_address(request)
        logger.warning(
            "Refused a sign-in as %s from %s: the person is not active.", quote_name(name), address
        )
        record_refused_sign_in(user, "not active")
        response: HttpResponse = super().respond_user_inactive(request, user)
        return response

    def post_login(self, request: HttpRequest, user: AbstractBaseUser, **options: Any) -> HttpResponse:
        response: HttpResponse = super().post_login(request, user, **options)
        records = get_authentication_records(request, user)
        steps = [record.get("type", STEPS.get(record["method"], record["method"])) for record in records]
        name = user.get_username()
        logger.info(
            "Signed in %s from %s by %s.", quote_name(name), read_remote_address(request), ", ".join(steps)
        )
        if isinstance(user, User):
            record_audit(user, Action.SESSION_SIGN_IN, user, after={"by": steps})
        KnownBrowser.read(request).remember(name, response)
        return response

    def get_password_change_redirect_url(self, _request: HttpRequest) -> str:
        # The page offers to end the person's API keys too.
        return f"{reverse('sessions')}?after=password"

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


def find_person(name: str) -> User | None:
    """Return the person whose name was typed. A name that nobody has may be a password in the wrong field."""
    return None if "\0" in name else User.objects.filter(username=name).first()


def record_refused_sign_in(person: AbstractBaseUser | None, reason: str) -> None:
    """Record that somebody was not let in, as this person if there is one."""
    concerned = person if isinstance(person, User) else AuditedObject("person")
    record_audit(
        None,
        Action.SESSION_SIGN_IN,
        concerned,
        after={"reason": reason},
        outcome=AuditEntry.Outcome.REFUSED,
    )


def answer_too_many(request: HttpRequest, seconds: int) -> HttpResponse:
    """Return the page that says how long to wait, with `Retry-After`."""
    response = render(request, "429.html", {"seconds": seconds}, status=429)
    response["Retry-After"] = str(seconds)
    return response


def answer_passwords_are_off(request: HttpRequest) -> HttpResponse:
    """Return the page that says that the person has no use for a password here."""
    return render(request, "dashboard/sign_in/passwords_off_page.html", status=403)


def quote_name(name: str) -> str:
    """Return a name for the log. It was typed by anybody: control characters are escaped, and a long text is cut."""
    return ascii(name[:MAX_LOGGED_LENGTH])
