"""The one filter of accounts, behind the API, exports, batches, the command and the dashboard."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef

from accounts.errors import UnknownObjectError
from accounts.lists.by_connection import select_by_connection
from accounts.lists.by_content import COMMON_SHARE, filter_by_content
from accounts.lists.parameters import ListQuery, read_account_query
from accounts.models import Account, Profile
from accounts.models.account import AccountQuerySet
from tokens.models import Team
from tokens.permissions import Actor


def filter_accounts(
    user: Actor,
    asked: ListQuery | Mapping[str, Any],
    *,
    common_share: float = COMMON_SHARE,
) -> AccountQuerySet:
    """Return the accounts that the person may see and that the query, or an object of its filters, chooses.

    Raises ValidationError by parameter for wrong filters of an object, and UnknownObjectError for a connection or a
    team that the person may not see. Costs at most three queries.
    """
    query = asked if isinstance(asked, ListQuery) else read_account_query(asked).check()
    filters = query.filters
    accounts = Account.objects.visible_to(user)
    if filters.get("team"):
        accounts = accounts.filter(team__in=check_teams(user, {UUID(each) for each in filters["team"]}))
    for name in ("status", "standing", "account_type"):
        if filters.get(name):
            accounts = accounts.filter(**{f"{name}__in": filters[name]})
    if filters.get("suspension_before"):
        accounts = accounts.filter(suspension_at__lt=filters["suspension_before"])
    if filters.get("country"):
        accounts = accounts.filter(countries__overlap=filters["country"])
    if filters.get("marketplace"):
        # A join would return an account once for each of its profiles.
        profiles = Profile.objects.filter(account=OuterRef("pk"), marketplace_id__in=filters["marketplace"])
        accounts = accounts.filter(Exists(profiles))
    if any(
        filters.get(name)
        for name in ("connection", "connection_labels", "sync_status", "health", "health_reason")
    ):
        accounts = accounts.filter(select_by_connection(user, filters))
    return filter_by_content(accounts, filters, common_share=common_share)


def check_teams(user: Actor, wanted: set[UUID]) -> set[UUID]:
    """Return the teams. Raises UnknownObjectError if the person may not see one of them."""
    if Team.objects.visible_to(user).filter(pk__in=wanted).count() < len(wanted):
        raise UnknownObjectError({"team": "There is no such team."})
    return wanted
