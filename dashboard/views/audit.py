"""The audit trail: its page, and the same as CSV."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.http import HttpResponse, QueryDict, StreamingHttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.lists.csv_text import format_csv, format_header
from accounts.lists.pages import KeysetPaginator
from amazon_accounts.postgresql.clock import approximate_now
from dashboard.activity.feed import read_day
from dashboard.audit.rows import make_rows
from dashboard.audit.words import DEEDS, OUTCOMES
from dashboard.frame.page import StaffRequest, page, staff_page
from dashboard.frame.team_filter import TeamFilter, read_team_id
from tokens.models import AuditEntry
from tokens.models.team import find_teams
from tokens.people.audit import Action, AuditedObject, record_many
from tokens.people.audit.query import VIEW, AuditQuery, find_entries

PAGE_SIZE: Final = 50
CSV_CHUNK_SIZE: Final = 1_000
COLUMNS: Final = tuple(field.attname for field in AuditEntry._meta.concrete_fields)
MAX_LENGTH: Final = 200


@dataclass(frozen=True)
class AuditFilters:
    """The filters of the page, read from its address. Values that are not understood are ignored."""

    action: str = ""
    actor: str = ""
    object: str = ""
    outcome: str = ""
    team: UUID | None = None
    since: date | None = None
    until: date | None = None

    @classmethod
    def of(cls, query: QueryDict, team: UUID | None = None) -> "AuditFilters":
        outcome = query.get("outcome", "")
        return cls(
            action=query.get("action", "").strip()[:MAX_LENGTH],
            actor=query.get("actor", "").strip()[:MAX_LENGTH],
            object=query.get("object", "").strip()[:MAX_LENGTH],
            outcome=outcome if outcome in OUTCOMES else "",
            team=team,
            since=read_day(query.get("since", "")),
            until=read_day(query.get("until", "")),
        )

    @property
    def query(self) -> AuditQuery:
        return AuditQuery(
            action=self.action,
            actor=self.actor,
            object=self.object,
            outcome=self.outcome,
            team=self.team,
            since=_find_midnight(self.since) if self.since else None,
            # The last day counts too.
            until=_find_midnight(self.until + timedelta(days=1)) if self.until else None,
        )

    @property
    def number(self) -> int:
        """How many filters of the form there are. The team and the outcome have links of their own."""
        names = set(self.__dataclass_fields__) - {"team", "outcome"}
        return sum(bool(getattr(self, name)) for name in names)

    def write(self, **more: str) -> str:
        known = {name: getattr(self, name) for name in self.__dataclass_fields__} | more
        return f"?{urlencode({name: value for name, value in known.items() if value})}"


@require_safe
@staff_page(VIEW)
def audit(request: StaffRequest) -> HttpResponse:
    team_filter = TeamFilter.read(request, VIEW)
    filters = AuditFilters.of(request.GET, team_filter.team_id)
    paginator = KeysetPaginator(find_entries(request.user, filters.query), "-at", PAGE_SIZE)
    after = request.GET.get("after", "")
    # A cursor that is old or forged leads to the first page.
    try:
        found = paginator.page(after)
    except ValidationError:
        after, found = "", paginator.page()
    context = {
        "rows": make_rows(request.user, found.items),
        "filters": filters,
        "team_menu": team_filter.menu(replace(filters, team=None).write()),
        "cleared": AuditFilters(team=filters.team).write(),
        "is_filtered": replace(filters, team=None) != AuditFilters(),
        "outcomes": [
            (
                status,
                replace(filters, outcome="" if word == filters.outcome else word).write(),
                word == filters.outcome,
            )
            for word, status in OUTCOMES.items()
        ],
        "actions": sorted(DEEDS.items(), key=lambda deed: deed[1]),
        "csv": reverse("audit-csv") + filters.write(),
        "after": after,
        "first": filters.write(),
        "next": found.next_cursor and filters.write(after=found.next_cursor),
        "previous": found.previous_cursor and filters.write(after=found.previous_cursor),
    }
    return page(
        request,
        "dashboard/audit/list_page.html",
        context,
        title="Audit trail",
        partial="dashboard/audit/list.html",
    )


@require_safe
@staff_page(VIEW)
def audit_csv(request: StaffRequest) -> StreamingHttpResponse:
    # The link of the page names the team, so the address alone counts.
    filters = AuditFilters.of(request.GET, read_team_id(request, VIEW))
    entries = find_entries(request.user, filters.query)
    given = sorted(name for name in filters.__dataclass_fields__ if getattr(filters, name))
    audited = [AuditedObject("audit", team_id=team) for team in _find_teams(request.user, filters.query.team)]
    record_many(request.user, Action.AUDIT_EXPORT, audited, after={"filtered_by": given})
    return StreamingHttpResponse(
        stream_entries(KeysetPaginator(entries, "-at", CSV_CHUNK_SIZE)),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="audit-{approximate_now().date()}.csv"'},
    )


def _find_teams(user: User, asked_for: UUID | None) -> Sequence[UUID | None]:
    """Return the teams whose entries are read. The whole trail, with entries of no team, is of no team."""
    if asked_for is not None:
        return [asked_for]
    seen = find_teams(user, VIEW)
    return sorted(seen) if isinstance(seen, frozenset) else [None]


def stream_entries(paginator: KeysetPaginator[AuditEntry]) -> Iterator[str]:
    """Yield the texts of a file, newest entry first."""
    yield format_header(COLUMNS)
    found = paginator.page()
    while True:
        yield format_csv([[_write_cell(getattr(entry, name)) for name in COLUMNS] for entry in found.items])
        if not found.next_cursor:
            return
        found = paginator.page(found.next_cursor)


def _write_cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case datetime():
            return value.isoformat()
        case dict() | list():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return str(value)


def _find_midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time()))
