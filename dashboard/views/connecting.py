"""The page that starts the way to Amazon's consent page, the page that goes on to it, and the return from it."""

import logging
from collections.abc import Callable, Mapping
from functools import wraps
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from asgiref.sync import async_to_sync
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.log import log_response
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.web.links import build_link
from amazon_accounts.web.requests import read_host
from dashboard.frame.page import INVALID_FORM, ConsoleRequest, SeeOther, StaffRequest, page, staff_page
from dashboard.views import client_link, errors
from dashboard.views.connections import visible
from tokens.connect import grants, oauth
from tokens.connect.forms import ConnectForm, ReconnectForm
from tokens.connect.link_consent import find_link_of_answer
from tokens.models import Connection, Team
from tokens.people.teams import TeamNotChosenError, choose_team
from tokens.permissions import require

logger = logging.getLogger(__name__)

# In an address of ours: the browser has been sent to PUBLIC_URL already.
AT_PUBLIC_URL: Final = "at-public-url"

STATUS: Final[dict[type[oauth.AttemptError], HTTPStatus]] = {
    oauth.UnknownAttemptError: HTTPStatus.BAD_REQUEST,
    oauth.OtherBrowserError: HTTPStatus.FORBIDDEN,
    oauth.ExpiredAttemptError: HTTPStatus.GONE,
    oauth.InterruptedAttemptError: HTTPStatus.GONE,
    oauth.HiddenConnectionError: HTTPStatus.NOT_FOUND,
}
# A level without a colour.
NEUTRAL: Final = messages.INFO + 1
START_AGAIN: Final = "Start again from the list of connections."


def at_public_url(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Send a browser that is at another host name to the same page of PUBLIC_URL.

    Amazon sends the browser back to PUBLIC_URL, where the session of the other host name does not exist.
    """

    @wraps(view)
    def checked(request: HttpRequest) -> HttpResponseBase:
        if not _is_elsewhere(request):
            return view(request)
        known = {AT_PUBLIC_URL: "1"}
        if connection := _read(request, "connection"):
            known["connection"] = connection[:36]
        return SeeOther(build_link(f"{reverse('connect-amazon')}?{urlencode(known)}"))

    return checked


def _is_elsewhere(request: HttpRequest) -> bool:
    # Behind a proxy that does not pass the host name on, only `Origin` says where the browser is. A GET has none; the
    # mark in the address then ends the redirects.
    if origin := request.headers.get("Origin"):
        return read_host(origin) != read_host(settings.PUBLIC_URL)
    if AT_PUBLIC_URL in request.GET:
        return False
    return read_host(f"//{request.get_host()}") != read_host(settings.PUBLIC_URL)


def _read(request: HttpRequest, name: str) -> str:
    return str(request.POST.get(name) or request.GET.get(name) or "")


@require_http_methods(["GET", "HEAD", "POST"])
@at_public_url
@staff_page("tokens.connect_amazon")
def connect_amazon(request: StaffRequest) -> HttpResponse:
    connection = _find_connection(request)
    form = _make_form(request, connection)
    if form.is_valid():
        try:
            address = _begin(request, connection, form.cleaned_data)
        except TeamNotChosenError as error:
            form.add_error(None, str(error))
        else:
            return _go_on(request, address)
    context = {"connection": connection, "form": form, "at_public_url": AT_PUBLIC_URL in request.GET}
    return page(
        request,
        "dashboard/connections/connect_page.html",
        context,
        title="Reconnect" if connection else "Connect Amazon",
        status=INVALID_FORM if form.errors else HTTPStatus.OK,
    )


def _make_form(request: StaffRequest, connection: Connection | None) -> ReconnectForm:
    data = request.POST if request.method == "POST" else None
    if connection is not None:
        return ReconnectForm(data)
    try:
        default = choose_team(request.user)
    except TeamNotChosenError:
        default = None
    return ConnectForm(
        data, teams=Team.objects.allowing(request.user, "tokens.connect_amazon"), default=default
    )


def _begin(request: StaffRequest, connection: Connection | None, chosen: Mapping[str, Any]) -> str:
    return oauth.begin(
        request.user,
        _session_key(request),
        region=chosen["region"],
        regions=chosen.get("regions", ()),
        label=chosen.get("label", ""),
        team=chosen.get("team"),
        connection=connection,
    )


def _find_connection(request: StaffRequest) -> Connection | None:
    given = _read(request, "connection")
    if not given:
        return None
    try:
        wanted = UUID(given)
    except ValueError:
        raise Http404 from None
    connection = get_object_or_404(visible(request), pk=wanted)
    require(request.user, "tokens.connect_amazon", connection)
    return connection


def _go_on(request: StaffRequest, address: str) -> HttpResponse:
    # Not a redirect: `form-action` of the Content Security Policy applies to all redirects after a form, and Amazon
    # may send the browser on to any host of its own.
    response = render(
        request, "dashboard/connections/go_on_page.html", {"address": address, "title": "Going on to Amazon"}
    )
    response["Referrer-Policy"] = "no-referrer"
    return response


@never_cache
@require_GET
def connect_amazon_callback(request: ConsoleRequest) -> HttpResponse:
    response = _answer_callback(request)
    # The address holds the code and the state, so no request may name it. With `no-referrer` the browser would send
    # `Origin: null` with the forms of the page, which the CSRF check refuses.
    response["Referrer-Policy"] = "strict-origin"
    return response


def _answer_callback(request: ConsoleRequest) -> HttpResponse:
    if "prefetch" in request.headers.get("Sec-Purpose", request.headers.get("Purpose", "")):
        return _refuse(
            request, HTTPStatus.TOO_EARLY, "The browser only prepares this page. Nothing was done."
        )
    if link := find_link_of_answer(request.GET.dict()):
        return client_link.answer_callback(request, link)
    if not request.user.is_authenticated:
        # The code in the address must not travel on to the login page.
        why = "You are not logged in here, so Amazon's answer belongs to nobody. Nothing was connected."
        return _refuse(request, HTTPStatus.FORBIDDEN, why)
    user = request.user
    require(user, "tokens.connect_amazon")
    try:
        connected = async_to_sync(_complete)(user, _session_key(request), request.GET.dict())
    except oauth.AttemptUnderWayError:
        context = {"title": "Connecting the login"}
        return render(request, "dashboard/connections/wait_page.html", context, status=HTTPStatus.ACCEPTED)
    except oauth.AttemptError as error:
        return _refuse(request, STATUS[type(error)], str(error))
    except grants.WrongLoginError as error:
        add = reverse("connect-amazon")
        again = f"{add}?{urlencode({'connection': error.connection.pk})}"
        links = '{} <a href="{}">Try again</a> · <a href="{}">Add as a new connection</a>'
        messages.error(request, format_html(links, str(error), again, add))
    except oauth.RefusedAtAmazonError as error:
        # Who cancels has made no mistake.
        level = NEUTRAL if error.reason == oauth.Reason.CANCELLED else messages.ERROR
        messages.add_message(request, level, str(error))
    except grants.AuthorizationError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _success(connected))
    return redirect("connections")


def _refuse(request: ConsoleRequest, status: HTTPStatus, why: str) -> HttpResponse:
    response = errors.answer(request, status, title="Not connected", why=why, next_step=START_AGAIN)
    # Django writes a line of its own for an answer that has no line yet.
    log_response(
        "Refused an answer of Amazon's consent page: %s",
        why,
        response=response,
        request=request,
        logger=logger,
        level="warning",
    )
    return response


async def _complete(user: User, session_key: str, answer: dict[str, Any]) -> grants.Connected:
    async with AmazonClient() as amazon:
        return await oauth.complete_authorization(user, session_key, answer, amazon)


def _success(connected: grants.Connected) -> str:
    connection = connected.connection
    address = reverse("connection", args=[connection.pk])
    if connected.is_repeat:
        sentence = '<a href="{}">{}</a> is connected already. Amazon\'s answer came twice; nothing was changed again.'
        return format_html(sentence, address, connection.label)
    regions = len(connection.regions)
    where = "1 region" if regions == 1 else f"{regions} regions"
    if connected.is_new:
        return f"Connected. Looking for accounts in {where} now; the first appear in about a minute."
    return (
        f"“{connection.label}” is connected again. Its label, regions, accounts and history stayed; "
        f"looking for changes in {where} now."
    )


def _session_key(request: HttpRequest) -> str:
    if request.session.session_key is None:
        request.session.create()
    return str(request.session.session_key)
