"""The page of a client link. It is for people without a login here, and leads to Amazon and to no other page of ours.

The token is in the address, so no line of the log has the path, and no request of the page names it as its referrer.
"""

import logging
import re
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from http import HTTPStatus
from typing import Any, Final

from asgiref.sync import async_to_sync
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import translation
from django.utils.log import log_response
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.models import AccountAccess
from accounts.sync.recognition import sees_an_account
from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.postgresql.clock import approximate_now
from amazon_accounts.web.cookies import name_cookie, set_cookie
from dashboard.frame.page import SeeOther
from dashboard.views.team_logo import show_logo
from tokens.connect import oauth
from tokens.connect.grants import AuthorizationError
from tokens.connect.link_consent import (
    LinkVoidError,
    begin_by_link,
    complete_by_link,
    find_last_refusal,
    make_browser_key,
    may_see_result,
)
from tokens.connect.links import find_link, name_sender, note_opened
from tokens.models import Connection, ConnectLink, TeamLogo
from tokens.models.connect_link import RESULT_LIFE
from tokens.sign_in.remote_address import read_remote_address
from tokens.sign_in.throttle import Attempt

logger = logging.getLogger(__name__)

COOKIE: Final = "client_link"
# As long as the way to Amazon, and then as long as the result is shown.
COOKIE_LIFE: Final = oauth.ATTEMPT_LIFE + RESULT_LIFE

COOKIE_FORM: Final = re.compile(r"(?P<token>[\w-]{20,100})\.(?P<key>[\w-]{20,100})", re.ASCII)
# A first sync that takes longer is not waited for.
MAX_WAIT: Final = timedelta(minutes=10)

View = Callable[..., HttpResponse]


def in_language_of_browser(view: View) -> View:
    @wraps(view)
    def translated(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        with translation.override(translation.get_language_from_request(request)):
            response = view(request, *args, **kwargs)
            response.headers.setdefault("Content-Language", translation.get_language() or "en")
        return response

    return translated


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@in_language_of_browser
def client_link(request: HttpRequest, token: str) -> HttpResponse:
    """Show what the link is for; lead to Amazon with POST; then show what came of it to the same browser."""
    address = read_remote_address(request)
    attempt = Attempt.make_for_link("client link", address)
    if seconds := attempt.seconds_to_wait():
        return _answer_too_many(request, seconds)
    link = find_link(token)
    if link is None:
        return _answer_void(request, None)
    attempt.give_back()
    browser_key = _read_cookie(request, link)[1]
    if may_see_result(link, browser_key):
        return SeeOther(request.path) if request.method == "POST" else _show_result(request, link)
    if link.state != ConnectLink.State.OPEN:
        return _answer_void(request, link)
    if request.method == "POST":
        if seconds := Attempt.make_for_start("client link", address).seconds_to_wait():
            return _answer_too_many(request, seconds)
        return _go_on(request, link, token, browser_key or make_browser_key())
    if request.method == "GET":
        note_opened(link)
    refusal = find_last_refusal(link, browser_key)
    return _render(
        request,
        "dashboard/client_links/ask_page.html",
        link,
        {"refusal": refusal, "sender": name_sender(link), "expected": _name_login(link)},
    )


def _go_on(request: HttpRequest, link: ConnectLink, token: str, browser_key: str) -> HttpResponse:
    try:
        address = begin_by_link(link, browser_key)
    except LinkVoidError:
        return _answer_void(request, find_link(token))
    response = _render(request, "dashboard/client_links/go_on_page.html", link, {"address": address})
    # The page has no form, and goes on to another site.
    response["Referrer-Policy"] = "no-referrer"
    _write_cookie(response, link, token, browser_key)
    return response


@in_language_of_browser
def answer_callback(request: HttpRequest, link: ConnectLink) -> HttpResponse:
    """Take the answer of Amazon's consent page to somebody with this link."""
    token, browser_key = _read_cookie(request, link)
    try:
        async_to_sync(_complete)(link, browser_key, request.GET.dict())
    except oauth.AttemptUnderWayError:
        return _render(request, "dashboard/client_links/wait_page.html", link, status=HTTPStatus.ACCEPTED)
    except oauth.OtherBrowserError:
        why = _("This was begun in another browser, or this browser keeps no cookies. Nothing was connected.")
        return _refuse(request, link, why, HTTPStatus.FORBIDDEN)
    except oauth.ExpiredAttemptError:
        return _refuse(
            request, link, _("This took longer than 10 minutes. Nothing was connected."), HTTPStatus.GONE
        )
    except oauth.AttemptError:
        return _refuse(request, link, _("This was interrupted. Nothing was connected."), HTTPStatus.GONE)
    except AuthorizationError as error:
        # The page of the link says why.
        logger.info("A client came back with the link %s: %s", link.pk, type(error).__name__)
    response = SeeOther(reverse("client-link", args=[token]))
    _write_cookie(response, link, token, browser_key)
    return response


async def _complete(link: ConnectLink, browser_key: str, answer: dict[str, Any]) -> Connection:
    async with AmazonClient() as amazon:
        return await complete_by_link(link, browser_key, answer, amazon, sees_an_account)


def _show_result(request: HttpRequest, link: ConnectLink) -> HttpResponse:
    accounts = AccountAccess.objects.filter(connection=link.connected_id).count()
    return _render(
        request,
        "dashboard/client_links/result_page.html",
        link,
        {"accounts": accounts, "is_looking": _is_looking(link)},
    )


def _is_looking(link: ConnectLink) -> bool:
    """Return whether the first sync since the link was used has yet to end."""
    if link.connected is None or link.used_at is None or link.used_at < approximate_now() - MAX_WAIT:
        return False
    synced_at = link.connected.last_synced_at
    return synced_at is None or synced_at < link.used_at


def _answer_void(request: HttpRequest, link: ConnectLink | None) -> HttpResponse:
    response = _render(request, "dashboard/client_links/void_page.html", link, status=HTTPStatus.GONE)
    state = link.state if link else "unknown"
    return _log(request, response, f"a client link that opens nothing ({state})")


def _answer_too_many(request: HttpRequest, seconds: int) -> HttpResponse:
    response = _render(
        request,
        "dashboard/client_links/busy_page.html",
        None,
        {"seconds": seconds},
        status=HTTPStatus.TOO_MANY_REQUESTS,
    )
    response["Retry-After"] = str(seconds)
    return _log(request, response, f"client links for {seconds} s: too many tries")


def _refuse(request: HttpRequest, link: ConnectLink, why: str, status: HTTPStatus) -> HttpResponse:
    token = _read_cookie(request, link)[0]
    again = reverse("client-link", args=[token]) if token else ""
    response = _render(
        request, "dashboard/client_links/refused_page.html", link, {"why": why, "again": again}, status=status
    )
    return _log(request, response, f"an answer of Amazon's consent page to the client link {link.pk}")


def _log(request: HttpRequest, response: HttpResponse, what: str) -> HttpResponse:
    # Django writes a line with the path for an answer that has no line yet.
    log_response(
        "Refused %s, from %s.",
        what,
        read_remote_address(request),
        response=response,
        request=request,
        logger=logger,
        level="warning",
    )
    return response


def _render(
    request: HttpRequest,
    template: str,
    link: ConnectLink | None,
    context: dict[str, Any] | None = None,
    *,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    team = link.team if link else None
    # Whoever has the link may see the logo.
    logo = show_logo(TeamLogo.objects.filter(team=team).first()) if team else ""
    context = {"link": link, "team": team, "logo": logo, **(context or {})}
    response = render(request, template, context, status=status)
    # With `no-referrer` the browser would send `Origin: null` with the form, which the CSRF check refuses.
    response["Referrer-Policy"] = "strict-origin"
    response["X-Robots-Tag"] = "noindex"
    return response


def _name_login(link: ConnectLink) -> str:
    return link.connection.amazon_user if link.connection else ""


def _read_cookie(request: HttpRequest, link: ConnectLink) -> tuple[str, str]:
    """Return the token of the link and the key of the browser, both "" if the browser has gone to Amazon with no link."""
    found = COOKIE_FORM.fullmatch(request.COOKIES.get(name_cookie(_choose_cookie(link)), ""))
    return (found["token"], found["key"]) if found else ("", "")


def _write_cookie(response: HttpResponse, link: ConnectLink, token: str, browser_key: str) -> None:
    set_cookie(response, _choose_cookie(link), f"{token}.{browser_key}", life=COOKIE_LIFE)


def _choose_cookie(link: ConnectLink) -> str:
    # One for each link: two may be open in one browser.
    return f"{COOKIE}_{link.pk.hex}"
