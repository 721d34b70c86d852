"""The state of the accounts page."""

import json
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import Http404, QueryDict

from accounts.errors import UnknownObjectError
from accounts.lists.account_pages import paginate_accounts
from accounts.lists.filters import filter_accounts
from accounts.lists.pages import Page
from accounts.lists.parameters import (
    DEFAULT_ORDERING,
    FILTERS,
    PAGE_ONLY,
    PAGING,
    read_account_query,
)
from accounts.models import Account
from dashboard.list_state import ListState, make_address

PAGE_SIZE = 24
VIEWS = ("cards", "table")
DEFAULT_VIEW = "cards"

# The parameter names of this page before it took over the names of the API. Bookmarks still have them.
OLD_NAMES = {
    "type": "account_type",
    "sync": "sync_status",
    "q": "search",
    "label": "labels",
    "sort": "ordering",
    "after": "cursor",
}


@dataclass(frozen=True)
class AccountList(ListState):
    view: str = DEFAULT_VIEW

    filters = FILTERS
    default_ordering = DEFAULT_ORDERING

    @classmethod
    def read(cls, parameters: QueryDict, *, last_view: str = "") -> "AccountList":
        view = parameters.get("view", last_view)
        return cls(
            read_account_query(parameters, paging=PAGING, ignored=PAGE_ONLY),
            view if view in VIEWS else DEFAULT_VIEW,
        )

    def view_address(self, view: str) -> str:
        # The address names the default view too, because without a name the page takes the last view from a cookie.
        pairs = [pair for pair in self.list_pairs(self.query.given) if pair[0] != "view"]
        return make_address([*pairs, *([("cursor", self.cursor)] if self.cursor else []), ("view", view)])

    def list_more_pairs(self) -> list[tuple[str, str]]:
        view = [("view", self.view)] if self.view != DEFAULT_VIEW else []
        return [*view, *super().list_more_pairs()]

    def accounts(self, user: User) -> QuerySet[Account]:
        """Return the accounts that match. Raises Http404 for a team or connection that the person does not see."""
        try:
            return filter_accounts(user, self.query)
        except UnknownObjectError as error:
            raise Http404 from error

    def page(self, user: User) -> Page[Account]:
        """Return the rows. A ValidationError says that the cursor is old, foreign or forged."""
        rows = (
            self.accounts(user)
            .select_related("connection", "team")
            .defer("metadata", "connection__access_token", "connection__refresh_token")
        )
        return paginate_accounts(rows, self.ordering, self.query.page_size or PAGE_SIZE).page(self.cursor)


def translate_parameters(parameters: QueryDict) -> QueryDict:
    """Return the parameters under their present names, without the parameters that a form sent empty."""
    translated = QueryDict(mutable=True)
    for old_name, old_values in parameters.lists():
        name, values = OLD_NAMES.get(old_name, old_name), old_values
        # Where an address has both names, the present name wins.
        if name != old_name and name in parameters:
            continue
        if old_name == "label":
            values = _translate_labels(values)
        elif old_name == "sort":
            values = [
                {"synced": "last_synced_at", "-synced": "-last_synced_at"}.get(each, each) for each in values
            ]
        if name in FILTERS or name in PAGING:
            values = [value for value in values if value.strip()]
        if values:
            translated.setlist(name, values)
    return translated


def _translate_labels(values: list[str]) -> list[str]:
    # Several labels meant accounts that have all of them, which is one JSON object today. A text that is no label stays,
    # so that the page shows it as an error.
    labels = {}
    for value in filter(None, values):
        name, colon, text = value.partition(":")
        if not (name and colon):
            return [value]
        labels[name] = text
    return [json.dumps(labels, ensure_ascii=False, separators=(",", ":"))] if labels else []
