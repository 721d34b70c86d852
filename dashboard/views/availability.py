"""The availability of a connection by month, as CSV. The page of the connection shows the same."""

from typing import Final
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from accounts.availability.months import list_availability
from accounts.lists.csv_text import format_csv
from dashboard.frame.page import StaffRequest, staff_page
from tokens.models import Connection

COLUMNS: Final = (
    "month_text",
    "is_final",
    "minutes",
    "token_valid",
    "lost_to_amazon",
    "lost_to_consent",
    "lost_to_us",
    "disconnected",
    "token_unknown",
    "token_valid_percent",
    "sync_fresh",
    "sync_late",
    "sync_off",
    "sync_unknown",
    "sync_fresh_percent",
    "late_after_seconds",
)
TITLES: Final = {"month_text": "month"}
# A hundred years.
ALL_MONTHS: Final = 1200


@require_safe
@staff_page("tokens.view_connection")
def availability_csv(request: StaffRequest, connection_id: UUID) -> HttpResponse:
    connections = Connection.objects.visible_to(request.user).only("created_at")
    connection = get_object_or_404(connections, pk=connection_id)
    months = list_availability(connection, ALL_MONTHS)
    rows = [[_format(getattr(month, column)) for column in COLUMNS] for month in months]
    return HttpResponse(
        format_csv([[TITLES.get(column, column) for column in COLUMNS], *rows]),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="availability-{connection.pk}.csv"'},
    )


def _format(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
