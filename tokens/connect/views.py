"""The views that send a browser to Amazon's consent page and receive it back."""

from typing import cast
from urllib.parse import urlencode

from asgiref.sync import async_to_sync
from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.html import format_html
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from amazon_accounts.amazon_ads.client import AmazonClient
from tokens.connect import grants, oauth
from tokens.connect.forms import ConnectForm
from tokens.models import Connection


@never_cache
@require_http_methods(["GET", "POST"])
@login_required
@permission_required("tokens.connect_amazon", raise_exception=True)
def connect_amazon(request: HttpRequest) -> HttpResponse:
    form = ConnectForm(request.POST if request.method == "POST" else request.GET)
    if not form.is_valid():
        for name, errors in form.errors.items():
            messages.error(request, f"{name}: {' '.join(map(str, errors))}")
        return redirect("connections")
    user = cast("User", request.user)
    connection = None
    if form.cleaned_data["connection"]:
        connection = get_object_or_404(
            Connection.objects.visible_to(user), pk=form.cleaned_data["connection"]
        )
    return redirect(
        oauth.begin(
            user,
            _session_key(request),
            region=form.cleaned_data["region"],
            regions=form.cleaned_data["regions"],
            label=form.cleaned_data["label"],
            connection=connection,
        )
    )


@never_cache
@require_GET
def connect_amazon_callback(request: HttpRequest) -> HttpResponse:
    # The code in the address must not travel on to a login page.
    if not request.user.is_authenticated:
        messages.error(request, str(oauth.UnknownAttemptError()))
        return redirect_to_login(reverse("connections"))
    try:
        connected = async_to_sync(_complete)(request.user, _session_key(request), request.GET.dict())
    except grants.WrongLoginError as error:
        add = reverse("connect-amazon")
        again = f"{add}?{urlencode({'connection': error.connection.pk})}"
        links = '{} <a href="{}">Try again</a> · <a href="{}">Add as a new connection</a>'
        messages.error(request, format_html(links, str(error), again, add))
    except grants.AuthorizationError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _success(connected))
    return redirect("connections")


async def _complete(user: User, session_key: str, answer: dict[str, str]) -> grants.Connected:
    async with AmazonClient() as amazon:
        return await oauth.complete_authorization(user, session_key, answer, amazon)


def _success(connected: grants.Connected) -> str:
    regions = len(connected.connection.regions)
    where = "1 region" if regions == 1 else f"{regions} regions"
    if connected.is_new:
        return f"Connected. Looking for accounts in {where} now; the first appear in about a minute."
    return (
        f"“{connected.connection.label}” is connected again. Its accounts and history stayed; "
        f"looking for changes in {where} now."
    )


def _session_key(request: HttpRequest) -> str:
    if request.session.session_key is None:
        request.session.create()
    return str(request.session.session_key)
