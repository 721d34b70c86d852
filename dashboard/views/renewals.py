"""The logins whose consent ends, and the links that their contacts have got."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Count, F, QuerySet
from django.db.models.functions import TruncMonth
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.views.decorators.http import require_http_methods, require_safe

from dashboard.charts import Chart, Column, stack_columns
from dashboard.frame.page import INVALID_FORM, SeeOther, StaffRequest, is_partial, page, staff_page
from dashboard.frame.team_filter import TeamFilter
from dashboard.lists.connection_list import RenewalList, translate_parameters
from dashboard.views.connections import describe_list
from dashboard.views.operations.mailing import find_last_mailing
from tokens.connect.consent_dates import MAX_BYTES, MAX_ROWS, enter_consent_dates
from tokens.connect.renewals import find_newest_links
from tokens.models import Connection, ConsentState, first_consent_with_end, where_consent

VIEW = "tokens.view_connection"
CONNECT = "tokens.connect_amazon"
COLUMNS = {
    "connection": "Connection",
    "consent": "Consent ends",
    "health": "State",
    "accounts": "Accounts",
    "team": "Team",
    "contact": "Contact",
    "link": "Renewal link",
}
SORTS = {"consent_ends_at": "Consent ends", "label": "Connection"}
TABS = {
    ("consent", "ended"): "Ended",
    ("consent", "ends_in_7"): "Within 7 days",
    ("consent", "ends_in_30"): "Within 30 days",
    ("consent", "ends_in_60"): "Within 60 days",
    ("consent", "good"): "Later",
    ("consent", "unknown"): "Not known",
}


@dataclass(frozen=True)
class Month:
    """How many consents end in a month."""

    title: str
    ended: int = 0
    soon: int = 0
    later: int = 0

    @property
    def number(self) -> int:
        return self.ended + self.soon + self.later


@dataclass(frozen=True)
class Months:
    """How many consents end in each month from the first to the last in which one ends."""

    rows: Sequence[Month]

    @property
    def ended(self) -> int:
        return sum(month.ended for month in self.rows)

    @property
    def soon(self) -> int:
        return sum(month.soon for month in self.rows)

    @property
    def chart(self) -> Chart:
        columns = [
            Column(
                month.title,
                [("bad", month.ended), ("attention", month.soon), ("good", month.later)],
                f"{month.title}: {month.number:,}",
            )
            for month in self.rows
        ]
        return stack_columns(columns, height=96, whole=True)


@require_safe
@staff_page(VIEW)
def renewals(request: StaffRequest) -> HttpResponse:
    parameters = translate_parameters(request.GET)
    team_filter = TeamFilter.read(request, VIEW)
    if team_filter.team_id and "team" not in parameters:
        # As if the address named it: then the links and an operation on all that match name it too.
        parameters["team"] = team_filter.text
    state = RenewalList.read(parameters)
    context = describe_list(
        request.user,
        state,
        team_filter,
        view="renewals",
        groups_shown=["consent"],
        columns=COLUMNS,
        sorts=SORTS,
        tabs=TABS,
    )
    links = find_newest_links(request.user, [connection.pk for connection, _ in context["connections"]])
    context |= {
        "for_renewals": True,
        "rows": [(row, accounts, links.get(row.pk)) for row, accounts in context["connections"]],
    }
    if not is_partial(request):
        context["mailing"] = find_last_mailing(request.user)
        context["months"] = _count_by_month(_select_of_teams(request, state))
    return page(
        request,
        "dashboard/renewals/page.html",
        context,
        title="Renewals",
        partial="dashboard/connections/list.html",
    )


def _select_of_teams(request: StaffRequest, state: RenewalList) -> QuerySet[Connection]:
    # The figure stands outside of the list, and the other filters change the list alone.
    others = (name for name in state.filters if name not in {"team", "state"})
    return state.without(*others).connections(request.user)


def _count_by_month(connections: QuerySet[Connection]) -> Months:
    days = timedelta(days=settings.CONSENT_DAYS)
    dated = connections.filter(consented_at__gte=first_consent_with_end())
    counted = (
        dated.order_by()
        .annotate(month=TruncMonth(F("consented_at") + days))
        .values("month")
        .annotate(
            number=Count("pk"),
            ended=Count("pk", filter=where_consent(ConsentState.ENDED)),
            soon=Count("pk", filter=where_consent(ConsentState.ENDS_IN_60)),
        )
    )
    found = {_number(row["month"]): row for row in counted}
    if not found:
        return Months([])
    return Months([_make_month(number, found.get(number)) for number in range(min(found), max(found) + 1)])


def _number(month: datetime) -> int:
    return month.year * 12 + month.month - 1


def _make_month(number: int, row: Mapping[str, Any] | None) -> Month:
    first = datetime(number // 12, number % 12 + 1, 1, tzinfo=timezone.get_current_timezone())
    title = date_format(first, "M Y")
    if row is None:
        return Month(title)
    return Month(title, row["ended"], row["soon"], row["number"] - row["ended"] - row["soon"])


class DatesForm(forms.Form):
    file = forms.FileField(
        label="CSV file",
        help_text=f"In UTF-8, with the columns id or login, and consented_on. At most {MAX_ROWS:,} lines.",
        widget=forms.FileInput(attrs={"class": "c-field", "accept": ".csv,text/csv"}),
        error_messages={"required": "Choose a file.", "empty": "The file is empty."},
    )


@require_http_methods(["GET", "POST"])
@staff_page(CONNECT)
def consent_dates(request: StaffRequest) -> HttpResponse:
    form = DatesForm(request.POST, request.FILES) if request.method == "POST" else DatesForm()
    if form.is_valid():
        try:
            changed = enter_consent_dates(request.user, form.cleaned_data["file"].read(MAX_BYTES + 1))
        except ValidationError as error:
            form.add_error("file", error)
        else:
            messages.success(request, f"{changed:,} date{'' if changed == 1 else 's'} entered.")
            return SeeOther(reverse("renewals"))
    return page(
        request,
        "dashboard/renewals/dates_page.html",
        {"form": form},
        title="Enter dates",
        status=INVALID_FORM if form.errors else HTTPStatus.OK,
    )
