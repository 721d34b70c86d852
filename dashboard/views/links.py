"""The client links of the person's teams: making one, the list, and revoking. `client_link.py` is what clients see."""

from http import HTTPStatus
from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import translation
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods

from accounts.lists.pages import KeysetPaginator
from amazon_accounts.configuration.languages import CLIENT_LANGUAGES
from dashboard.frame.page import INVALID_FORM, SeeOther, StaffRequest, page, redirect_htmx, staff_page
from dashboard.views.connections import visible
from tokens.connect.forms import LabelField, RegionsChoiceField
from tokens.connect.links import (
    MAX_DAYS,
    USUAL_DAYS,
    make_connect_link,
    revoke_connect_link,
    send_connect_link_again,
)
from tokens.connect.update import MAX_LABEL_LENGTH
from tokens.models import Connection, ConnectLink, Team, all_regions
from tokens.models.connect_link import MAX_ADDRESS_LENGTH
from tokens.permissions import may, require

VIEW = "tokens.view_connectlink"
MAKE = "tokens.connect_amazon"
PAGE_SIZE = 50


class LinkForm(forms.Form):
    label = LabelField(
        label="For whom",
        help_text="The client reads it, and it becomes the name of the connection.",
        widget=forms.TextInput(
            attrs={"class": "c-field", "maxlength": MAX_LABEL_LENGTH, "placeholder": "Copperleaf"}
        ),
        error_messages={"required": "Say whose ad accounts it is about."},
    )
    team = forms.ModelChoiceField(
        label="Team",
        queryset=Team.objects.none(),
        empty_label=None,
        help_text="The client reads its name.",
        widget=forms.Select(attrs={"class": "c-field"}),
    )
    email = forms.CharField(
        label="E-mail address",
        required=False,
        max_length=MAX_ADDRESS_LENGTH,
        help_text="The link is sent there, and nobody here sees it. Left empty, the link is shown to you once.",
        widget=forms.EmailInput(attrs={"class": "c-field", "autocomplete": "off"}),
    )
    language = forms.ChoiceField(
        label="Language of the mail",
        choices=CLIENT_LANGUAGES,
        help_text="The page has the language of the client’s browser.",
        widget=forms.Select(attrs={"class": "c-field"}),
    )
    days = forms.IntegerField(
        label="Days that it works",
        min_value=1,
        max_value=MAX_DAYS,
        initial=USUAL_DAYS,
        widget=forms.NumberInput(attrs={"class": "c-field"}),
    )
    regions = RegionsChoiceField(
        label="Regions", initial=all_regions, help_text="Where the console looks for accounts."
    )

    def __init__(self, request: StaffRequest, connection: Connection | None, data: Any = None) -> None:
        language = translation.get_language_from_request(request)
        known = {"label": connection.label, "email": connection.contact_email} if connection else {}
        super().__init__(data, initial={"language": language, **known})
        self._person, self._connection = request.user, connection
        if connection is not None:
            self.fields["label"].help_text = "The client reads it."
            # A renewal leaves them as they are.
            del self.fields["team"], self.fields["regions"]
        else:
            teams = cast("forms.ModelChoiceField[Team]", self.fields["team"])
            teams.queryset = Team.objects.allowing(request.user, MAKE)

    def make(self) -> tuple[ConnectLink, str | None] | None:
        """Make the link; None if the form is wrong, which it then says."""
        if not self.is_valid():
            return None
        given = dict(self.cleaned_data)
        team = given.pop("team", None) or cast("Connection", self._connection).team
        try:
            return make_connect_link(self._person, team, connection=self._connection, **given)
        except ValidationError as error:
            for name, found in error.update_error_dict({}).items():
                # The connection is no field.
                self.add_error(name if name in self.fields else None, found)
        return None


@require_http_methods(["GET", "HEAD", "POST"])
@staff_page(VIEW)
def links(request: StaffRequest) -> HttpResponse:
    """List the links. The answer to the form shows the new address, which is in no session and in no later page."""
    connection = _find_connection(request)
    if request.method == "POST":
        require(request.user, MAKE, connection)
    form = LinkForm(request, connection, request.POST if request.method == "POST" else None)
    made = form.make() if form.is_bound else None
    if made and made[1] is None:
        messages.success(request, "The mail with the link is on its way.")
        return SeeOther(reverse("links"))
    return page(
        request,
        "dashboard/links/list_page.html",
        {
            **_list_links(request),
            "form": LinkForm(request, None) if made else form,
            "may_make": may(request.user, MAKE),
            "connection": None if made else connection,
            "made": made[0] if made else None,
            "address": made[1] if made else "",
        },
        title="Client links",
        status=INVALID_FORM if form.errors else HTTPStatus.OK,
    )


def _list_links(request: StaffRequest) -> dict[str, Any]:
    rows = ConnectLink.objects.visible_to(request.user).select_related(
        "team", "owner", "connection", "connected"
    )
    paginator = KeysetPaginator(rows, "-created_at", PAGE_SIZE)
    # A cursor that is old or forged leads to the first page.
    try:
        found = paginator.page(request.GET.get("after", ""))
    except ValidationError:
        found = paginator.page()
    return {
        "links": found.items,
        "next": _make_address(found.next_cursor),
        "previous": _make_address(found.previous_cursor),
    }


def _make_address(cursor: str | None) -> str:
    return f"?{urlencode({'after': cursor})}" if cursor else ""


def _find_connection(request: StaffRequest) -> Connection | None:
    """Return the connection that is to be renewed, if the address or the form names one."""
    given = request.POST.get("connection") or request.GET.get("connection")
    if not given:
        return None
    try:
        wanted = UUID(given)
    except ValueError:
        raise Http404 from None
    return get_object_or_404(visible(request), pk=wanted)


@require_http_methods(["GET", "POST"])
@staff_page(MAKE)
def send_again(request: StaffRequest, link_id: UUID) -> HttpResponseBase:
    links = ConnectLink.objects.visible_to(request.user).select_related("team", "owner", "connection")
    link = get_object_or_404(links, pk=link_id)
    require(request.user, MAKE, link)
    if request.method == "GET":
        return SeeOther(reverse("links"))
    try:
        send_connect_link_again(request.user, link)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(
            request, "A mail with a new link is on its way. The old link opens nothing any more."
        )
    return redirect_htmx(request, reverse("links"))


@require_http_methods(["GET", "POST"])
@staff_page(MAKE)
def revoke(request: StaffRequest, link_id: UUID) -> HttpResponseBase:
    link = get_object_or_404(ConnectLink.objects.visible_to(request.user).select_related("team"), pk=link_id)
    require(request.user, MAKE, link)
    if request.method == "GET":
        return SeeOther(reverse("links"))
    if revoke_connect_link(request.user, link):
        messages.success(request, "The link is revoked. It opens nothing any more.")
    else:
        messages.info(request, "The link had ended before.")
    return redirect_htmx(request, reverse("links"))
