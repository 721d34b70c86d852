"""The list of accounts, and one account."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.contrib.postgres.expressions import ArraySubquery
from django.core.exceptions import ValidationError
from django.db.models import OuterRef, Q
from django.db.models.functions import JSONObject
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_safe
from django_htmx.http import push_url

from accounts.models import Account, AccountChange, AccountManager, HealthReason, Profile, Standing, SyncRun
from amazon_accounts.postgresql.clock import approximate_now
from amazon_accounts.web.cookies import set_cookie
from dashboard.audit.rows import read_latest
from dashboard.formats.times import format_date, format_moment
from dashboard.frame.page import StaffRequest, is_partial, page, staff_page
from dashboard.frame.team_filter import TeamFilter
from dashboard.lists.account_chips import count_groups
from dashboard.lists.account_filters import describe_filters
from dashboard.lists.account_list import AccountList, translate_parameters
from dashboard.lists.chips import Group
from dashboard.lists.display import Display
from dashboard.lists.groups import describe_groups
from dashboard.lists.saved_views import describe_views
from dashboard.lists.table import describe_place, describe_table
from dashboard.views.labels import offer_labels
from dashboard.views.notes import list_notes
from tokens.models import Connection
from tokens.permissions import limit_to_team, may

MAX_CHANGES = 50
TROUBLED_STANDINGS = {Standing.SUSPENDED, Standing.AT_RISK, Standing.SET_UP}
MAX_RELATED = 200
EXPORTS = (
    ("CSV for Excel", "format=csv&for=excel"),
    ("CSV", "format=csv"),
    ("JSON Lines", "format=jsonl"),
)


@require_safe
@staff_page("accounts.view_account")
def accounts(request: StaffRequest) -> HttpResponse:
    parameters = translate_parameters(request.GET)
    is_translated = parameters != request.GET
    team_filter = TeamFilter.read(request, "accounts.view_account")
    address = f"{reverse('accounts')}?{parameters.urlencode()}"
    if is_translated and not is_partial(request):
        return HttpResponseRedirect(address)
    if team_filter.team_id and "team" not in parameters:
        # As if the address named it: then the links, the export and an operation on all that match name it too.
        parameters["team"] = team_filter.text
    display = Display.read(request, parameters)
    state = AccountList.read(parameters, display)
    response = page(
        request,
        "dashboard/accounts/list_page.html",
        {"is_fullwidth": "1", **_list_context(request.user, state, team_filter)},
        title="Accounts",
        partial="dashboard/accounts/list.html",
    )
    for name, value in display.choices(parameters).items():
        set_cookie(response, name, value, life=timedelta(days=365))
    return push_url(response, address) if is_translated else response


def _list_context(user: User, state: AccountList, team_filter: TeamFilter) -> dict[str, Any]:
    # A cursor that is old or of another ordering leads to the first page.
    try:
        rows = state.page(user)
    except ValidationError:
        state = state.without()
        rows = state.page(user)
    groups, count = count_groups(user, state)
    connections = Connection.objects.visible_to(limit_to_team(user, team_filter.team_id))
    # A connection belongs to one team, so it goes with the team.
    without_team = state.without("team", "connection").page_address()
    return {
        "state": state,
        "team_menu": team_filter.menu(without_team, number=max(len(state.values("team")), 1)),
        # The menu of teams has a link of its own to turn its filter off.
        "is_clearable": (state.without("team") if team_filter.is_offered else state).is_filtered,
        "cleared": reverse("accounts") + (f"?team={team_filter.text}" if team_filter.team_id else ""),
        "search": state.typed("search"),
        "accounts": rows.items,
        "count": count,
        "some_inactive": _may_have_inactive(state, groups),
        "count_text": f"{count.number:,}{'+' if count.capped else ''}",
        "repeated": {name for name, times in Counter(row.name for row in rows.items).items() if times > 1},
        "exports": EXPORTS,
        **describe_table(state, shows_teams=team_filter.is_offered),
        **describe_place(state, rows, count),
        **describe_groups(user, state, rows.items, count, offers_teams=team_filter.is_offered),
        "connections": None if count.number else connections.exists(),
        **describe_views(user, state, team_filter.teams),
        **describe_filters(user, state, groups, connections),
    }


def _may_have_inactive(state: AccountList, groups: list[Group]) -> bool:
    # The number of the chip ignores the choice of a status, so the choice is looked at too.
    inactive = next(chip for group in groups for chip in group.chips if chip.id == "chip-status-inactive")
    return inactive.number != 0 and (inactive.current or not state.values("status"))


@require_safe
@staff_page("accounts.view_account")
def account(request: StaffRequest, account_id: UUID) -> HttpResponse:
    rows = (
        Account.objects.visible_to(request.user)
        .select_related("connection", "parent", "team")
        .annotate(logins=_name_logins(request.user))
        .defer("connection__access_token", "connection__refresh_token")
    )
    row = get_object_or_404(rows, pk=account_id)
    links = _links(request.user, row)
    profiles = list(Profile.objects.filter(account=row))
    of_account = AccountChange.objects.filter(account=row).select_related("changed_by")
    changes = list(of_account.with_visible_run(request.user)[:MAX_CHANGES])
    runs = list(
        SyncRun.objects.visible_to(request.user)
        .filter(connection=row.connection)
        .select_related("requested_by")[:5]
    )
    may_update = may(request.user, "accounts.update_account", row)
    context = {
        "account": row,
        "no_sync": row.connection.reason_unusable,
        "profiles": profiles,
        "billing": [
            profile for profile in profiles if profile.standing in TROUBLED_STANDINGS or profile.notices
        ],
        "why": _why(row, profiles, changes),
        "reports": _reports(row.errors),
        "changes": changes,
        "notes": list_notes(request.user, row),
        "offered_labels": offer_labels(request) if may_update else (),
        "deeds": read_latest(request.user, row.pk),
        "runs": runs,
        "failed_run": next((run for run in runs if run.finished_at), None),
        "managers": [link.manager for link in links if link.account_id == row.pk],
        "managed": [link.account for link in links if link.manager_id == row.pk],
        "children": _list_advertisers(request.user, row, profiles),
        "logins": vars(row)["logins"],
    }
    return page(request, "dashboard/accounts/detail_page.html", context, title=str(row))


def _name_logins(user: User) -> ArraySubquery:
    """Return, for a queryset of accounts, the logins that see each."""
    logins = Connection.objects.visible_to(user).filter(accesses__account=OuterRef("pk"))
    return ArraySubquery(logins.order_by("label", "pk").values(login=JSONObject(pk="pk", label="label")))


def _list_advertisers(user: User, account: Account, profiles: Sequence[Profile]) -> list[Account]:
    """Return the DSP advertisers of an agency. No other account has accounts below it."""
    is_agency = account.account_type == Account.Type.AGENCY or any(
        profile.type == Account.Type.AGENCY for profile in profiles
    )
    if not is_agency:
        return []
    advertisers = Account.objects.visible_to(user).filter(parent=account)
    return list(advertisers.defer("metadata", "errors")[:MAX_RELATED])


def _links(user: User, account: Account) -> list[AccountManager]:
    # One query reads both directions: the managers above the account and the accounts below it.
    links = AccountManager.objects.visible_to(user).filter(Q(manager=account) | Q(account=account))
    related = links.select_related("manager", "account").order_by("id")
    return list(related.defer("manager__metadata", "account__metadata")[:MAX_RELATED])


def _why(account: Account, profiles: Sequence[Profile], changes: Iterable[AccountChange]) -> str:
    """Return why an account cannot advertise, or not in all countries, and what happens next."""
    if account.is_followed and account.standing in TROUBLED_STANDINGS:
        return _why_billing(account, profiles, changes)
    if account.status == Account.Status.SUSPENDED:
        why = "Amazon has suspended this account, so nobody can advertise with it."
        step = "Amazon does not say why; the advertiser has to ask Amazon."
    elif account.inactive_reason == Account.InactiveReason.REGISTRATION_FAILED:
        why = f"The registration of this account failed: Amazon calls it {account.amazon_status}. Nobody can advertise with it."
        step = "Amazon does not say why; the advertiser has to ask Amazon, or register again."
    elif account.status == Account.Status.UNKNOWN:
        why = f"Amazon calls it “{account.amazon_status or ''}”, which this console does not know."
        step = "Look in Amazon's own console whether the account can advertise."
    elif account.status == Account.Status.PENDING:
        why = _why_pending(account, {profile.country_code for profile in profiles})
        step = "Amazon asks for nothing that you could do."
    elif account.health_reason == HealthReason.UNKNOWN:
        return _why_not_known(profiles)
    else:
        return ""
    if account.errors:
        step = "The advertiser has to settle with Amazon the errors listed below."
    return f"{why} {step} Each sync asks again."


def _why_billing(account: Account, profiles: Sequence[Profile], changes: Iterable[AccountChange]) -> str:
    if account.standing == Standing.SUSPENDED:
        countries = ", ".join(account.suspended_in) or "one of its marketplaces"
        why = f"Amazon has stopped the campaigns of this account in {countries}.{_since(changes)}"
        if account.suspension_at:
            why += f" {_announce(account.suspension_at, profiles)}"
    elif account.standing == Standing.SET_UP:
        where = _name_countries(profile for profile in profiles if profile.standing == Standing.SET_UP)
        why = f"This account cannot advertise{where or ' everywhere'}: its billing, payment or tax registration is missing."
    elif account.suspension_at:
        why = _announce(account.suspension_at, profiles)
    else:
        why = (
            "Amazon reports a problem with the payment of this account, and may stop its campaigns."
            " Amazon names no date."
        )
    return f"{why} The advertiser has to settle it with Amazon; its words are below. Each sync asks again."


def _since(changes: Iterable[AccountChange]) -> str:
    # The newest change comes first. An account that was suspended when it was first seen has none.
    kind, word = AccountChange.Kind.STANDING, Standing.SUSPENDED
    seen = next((each.changed_at for each in changes if (each.kind, each.new) == (kind, word)), None)
    return f" A sync has seen it on {format_moment(seen)}." if seen else ""


def _announce(first: datetime, profiles: Sequence[Profile]) -> str:
    day = format_date(first)
    where = _name_countries(profile for profile in profiles if profile.suspension_at == first)
    if first <= approximate_now():
        return f"Amazon announced that it would stop campaigns of this account{where} on {day}, and has not said that it did."
    return f"Amazon announces that it will stop campaigns of this account{where} on {day}."


def _why_not_known(profiles: Sequence[Profile]) -> str:
    untold = [profile for profile in profiles if profile.standing == Standing.UNKNOWN]
    if refused := [profile for profile in untold if profile.billing_refusals]:
        return (
            f"Nobody knows whether this account can advertise: the connected login may not see its billing"
            f"{_name_countries(refused)}. Ask the advertiser for that right."
        )
    if not untold:
        return "Nobody knows whether this account can advertise: it has no marketplace that Amazon's billing could be asked about."
    return "Amazon's billing was not asked about this account yet, or gave no answer. The next sync asks."


def _name_countries(profiles: Iterable[Profile]) -> str:
    """Return " in DE, FR"; "" if no profile names its country."""
    countries = sorted({profile.country_code for profile in profiles if profile.country_code})
    return f" in {', '.join(countries)}" if countries else ""


def _why_pending(account: Account, ready: set[str]) -> str:
    waiting = [country for country in account.countries if country not in ready]
    if not waiting:
        return "Amazon has not finished the registration of this account."
    rest = len(account.countries) - len(waiting)
    others = f"; {rest:,} other{' is' if rest == 1 else 's are'} ready" if rest else ""
    return f"Amazon has not finished the registration of this account in {', '.join(waiting)}{others}."


@dataclass(frozen=True)
class Report:
    """One error that Amazon reports for an account, in one country or in all."""

    country: str
    text: str
    code: str


def _reports(errors: Any) -> list[Report]:
    # Amazon does not document the shape of its reports. A report of an unknown shape is shown as its text.
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
