"""The list of accounts, and one account."""

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from accounts.models import Account, AccountChange, AccountManager, Profile, SyncRun
from dashboard.account_list import SORTS, VIEWS, AccountList, Group, groups
from dashboard.frame.page import StaffRequest, page, staff_page
from tokens.models import Connection

VIEW_COOKIE = "accounts-view"
CONNECTIONS_OFFERED = 200
CHANGES_SHOWN = 50
RELATED_SHOWN = 200
# Filters that stand behind "More filters".
RARE = ("country", "marketplace", "connection", "label")


@dataclass(frozen=True)
class SortLink:
    title: str
    address: str
    current: bool
    descending: bool


@require_safe
@staff_page("accounts.view_account")
def accounts(request: StaffRequest) -> HttpResponse:
    state = AccountList.of(request.GET, view=request.COOKIES.get(VIEW_COOKIE, ""))
    rows = state.page(request.user)
    chips, count = groups(request.user, state)
    connections = Connection.objects.visible_to(request.user)
    context = {
        "state": state,
        "search": state.typed("q"),
        "accounts": rows.items,
        "groups": chips,
        "count": count,
        "some_inactive": _has_inactive(state, chips),
        "count_text": f"{count.number:,}{'+' if count.capped else ''}",
        "sorts": _sort_links(state),
        "views": [(view, _view_address(state, view), view == state.view) for view in VIEWS],
        "next": rows.next_cursor and state.at(rows.next_cursor).address,
        "previous": rows.previous_cursor and state.at(rows.previous_cursor).address,
        "first": state.at("").address,
        "connections": connections.values_list("pk", "label").order_by("label")[:CONNECTIONS_OFFERED],
        "rare": {key: state.typed(key) for key in RARE},
        "rare_number": len([key for key, _ in (*state.chosen, *state.unusable) if key in RARE]),
        "without_rare": state.without(*RARE).hidden_inputs,
    }
    response = page(
        request,
        "dashboard/accounts/list_page.html",
        context,
        title="Accounts",
        partial="dashboard/accounts/list.html",
    )
    if request.GET.get("view") == state.view:
        response.set_cookie(VIEW_COOKIE, state.view, max_age=365 * 86400, httponly=True, samesite="Lax")
    return response


def _has_inactive(state: AccountList, chips: list[Group]) -> bool:
    """Say whether some that match are, or may be, inactive: the chip's count ignores the choice of a status."""
    inactive = next(chip for group in chips for chip in group.chips if chip.id == "chip-status-inactive")
    return inactive.number != 0 and (inactive.current or not state.values("status"))


def _view_address(state: AccountList, view: str) -> str:
    """Name the view always: it changes the one that is kept in the cookie."""
    address = replace(state, view="cards").address
    return f"{address}{'&' if len(address) > 1 else ''}view={view}"


def _sort_links(state: AccountList) -> list[SortLink]:
    links = []
    for sort in list(SORTS)[:3]:
        turned = sort.removeprefix("-") if sort.startswith("-") else f"-{sort}"
        current = state.sort in {sort, turned}
        address = state.sorted_by(turned if state.sort == sort else sort).address
        links.append(SortLink(SORTS[sort], address, current, state.sort.startswith("-")))
    return links


@require_safe
@staff_page("accounts.view_account")
def account(request: StaffRequest, account_id: UUID) -> HttpResponse:
    rows = (
        Account.objects.visible_to(request.user)
        .select_related("connection", "parent")
        .defer("connection__access_token", "connection__refresh_token")
    )
    row = get_object_or_404(rows, pk=account_id)
    links = _links(request.user, row)
    profiles = list(Profile.objects.filter(account=row))
    context = {
        "account": row,
        "no_sync": row.connection.reason_unusable,
        "profiles": profiles,
        "why": _why(row, ready={profile.country_code for profile in profiles}),
        "reports": _reports(row.errors),
        "changes": list(
            AccountChange.objects.filter(account=row).select_related("changed_by")[:CHANGES_SHOWN]
        ),
        "runs": list(
            SyncRun.objects.visible_to(request.user)
            .filter(connection=row.connection)
            .select_related("requested_by")[:5]
        ),
        "managers": [link.manager for link in links if link.account_id == row.pk],
        "managed": [link.account for link in links if link.manager_id == row.pk],
        "children": list(
            Account.objects.visible_to(request.user)
            .filter(parent=row)
            .defer("metadata", "errors")[:RELATED_SHOWN]
        ),
        "logins": list(
            Connection.objects.visible_to(request.user).filter(accesses__account=row).only("pk", "label")
        ),
    }
    return page(request, "dashboard/accounts/detail_page.html", context, title=str(row))


def _links(user: User, account: Account) -> list[AccountManager]:
    """Return the links to the managers above and the accounts below."""
    links = AccountManager.objects.visible_to(user).filter(Q(manager=account) | Q(account=account))
    related = links.select_related("manager", "account").order_by("id")
    return list(related.defer("manager__metadata", "account__metadata")[:RELATED_SHOWN])


def _why(account: Account, ready: set[str]) -> str:
    """Say why nobody can advertise with an account, or not everywhere, and what comes next."""
    if account.status == Account.Status.SUSPENDED:
        why = "Amazon has disabled this account, so nobody can advertise with it."
        step = "Amazon does not say why; the advertiser has to ask there."
    elif account.status == Account.Status.PENDING:
        why = _why_pending(account, ready)
        step = "It names nothing that anybody would have to do."
    else:
        return ""
    if account.errors:
        step = "The advertiser has to settle with Amazon what it reports below."
    return f"{why} {step} Each sync asks again."


def _why_pending(account: Account, ready: set[str]) -> str:
    if account.amazon_status not in {"PENDING", "PARTIALLY_CREATED"}:
        return f"Amazon calls it “{account.amazon_status or ''}”, which this console does not know."
    waiting = [country for country in account.countries if country not in ready]
    if not waiting:
        return "Amazon has not finished the registration of this account."
    rest = len(account.countries) - len(waiting)
    others = f"; {rest:,} other{' is' if rest == 1 else 's are'} ready" if rest else ""
    return f"Amazon has not finished the registration of this account in {', '.join(waiting)}{others}."


@dataclass(frozen=True)
class Report:
    """One thing that Amazon holds against an account, in one country or in all."""

    country: str
    text: str
    code: str


def _reports(errors: Any) -> list[Report]:
    """Read what Amazon reports by country; whatever shape it has, show it and never fail on it."""
    if not isinstance(errors, dict):
        return [Report("", str(errors), "")] if errors else []
    reports = []
    for country, found in errors.items():
        for error in found if isinstance(found, list) else [found]:
            fields = error if isinstance(error, dict) else {}
            text = fields.get("errorMessage") or fields.get("error_message") or ""
            code = fields.get("errorCode") or fields.get("error_code") or ""
            reports.append(Report(str(country), str(text or error), str(code)))
    return reports
