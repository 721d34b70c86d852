"""Renewal links as a file, for those who have no mail server and pass the links on themselves."""

from typing import Final

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from accounts.batch.rows import CONNECTIONS
from accounts.lists.csv_text import format_csv, format_header
from dashboard.frame.page import SeeOther, StaffRequest, staff_page
from dashboard.views.operations.start import Selection
from tokens.connect.renewals import PERMISSION, make_renewal_links
from tokens.models import Connection

# They are made while the browser waits.
MAX_LINKS: Final = 500
COLUMNS: Final = ("label", "login", "contact", "consent_ends", "link", "works_until")


@require_http_methods(["GET", "POST"])
@staff_page(PERMISSION)
def links_csv(request: StaffRequest) -> HttpResponse:
    """Make links for the chosen connections, and answer with them. No later request gets them again."""
    if request.method == "GET":
        return SeeOther(reverse("renewals"))
    try:
        made = make_renewal_links(request.user, _find(request))
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return SeeOther(reverse("renewals"))
    rows = [
        (
            link.label,
            connection.amazon_user,
            connection.contact_email,
            f"{connection.consent_ends_at:%Y-%m-%d}" if connection.consent_ends_at else "",
            address,
            f"{link.ends_at:%Y-%m-%d}",
        )
        for link, address in made
        if (connection := link.connection)
    ]
    return HttpResponse(
        format_header(COLUMNS, for_excel=True) + format_csv(rows, for_excel=True),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="renewal-links.csv"'},
    )


def _find(request: StaffRequest) -> list[Connection]:
    """Return the chosen connections that the person may renew. Raises ValidationError."""
    allowed = Connection.objects.allowing(request.user, PERMISSION).exclude(
        state=Connection.State.DISCONNECTED
    )
    chosen = Selection.read(CONNECTIONS, request.POST).find(request.user).order_by()
    found = list(
        allowed.filter(pk__in=chosen.values("pk"))
        .select_related("team")
        .defer("access_token", "refresh_token")
        .order_by("label", "pk")[: MAX_LINKS + 1]
    )
    if not found:
        raise ValidationError("None of the chosen connections can be renewed by you.")
    if len(found) > MAX_LINKS:
        raise ValidationError(f"These are more than {MAX_LINKS} connections. Choose fewer.")
    return found
