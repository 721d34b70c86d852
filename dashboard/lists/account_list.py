"""The state of the accounts page."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

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
from amazon_accounts.labels import LABEL_NAME, MAX_LABEL_LENGTH
from dashboard.lists.display import COLUMNS, DEFAULT, Display, write_columns
from dashboard.lists.state import ListState, make_address, read_place
from tokens.models import Connection

# What accounts can be grouped by, besides the keys of their labels.
GROUPINGS: Mapping[str, str] = {"connection": "Connection", "team": "Team", "country": "Marketplace"}
LABEL_PREFIX = "label:"

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
    display: Display = DEFAULT
    # The filter whose choices are shown.
    opened: str = ""
    # One of GROUPINGS, or `label:` and the key of a label; "" shows the accounts.
    group: str = ""
    # The id of the saved view that this list began as.
    saved: str = ""
    # The accounts of each set of filters: to read filters costs queries, and a page asks for the same set again.
    found: dict[str, QuerySet[Account]] = field(default_factory=dict, compare=False, repr=False)
    # The connections of accounts that were counted.
    connections: dict[UUID, Connection] = field(default_factory=dict, compare=False, repr=False)

    filters = FILTERS
    default_ordering = DEFAULT_ORDERING

    @classmethod
    def read(cls, parameters: QueryDict, display: Display = DEFAULT) -> "AccountList":
        query = read_account_query(parameters, paging=PAGING, ignored=PAGE_ONLY)
        return cls(
            query,
            read_place(parameters, query.cursor),
            display,
            parameters.get("filter", ""),
            _read_group(parameters),
            _read_saved(parameters),
        )

    def list_more_pairs(self) -> list[tuple[str, str]]:
        more = [("group", self.group), ("saved", self.saved)]
        return [*super().list_more_pairs(), *(pair for pair in more if pair[1])]

    @property
    def page_size(self) -> int:
        return self.query.page_size or self.display.page_size

    def view_address(self, view: str) -> str:
        # The address names the default view too, because without a name the page takes the last view from a cookie.
        return self._show_address("view", view)

    def columns_address(self, name: str) -> str:
        chosen = self.display.columns
        columns = tuple(each for each in COLUMNS if (each in chosen) != (each == name))
        return self._show_address("columns", write_columns(columns))

    def group_address(self, group: str) -> str:
        return replace(self, group=group).page_address()

    def open_address(self, name: str) -> str:
        return self._show_address("filter", name)

    def _show_address(self, name: str, value: str) -> str:
        # What is shown of the rows leaves the page at its place.
        at = [("cursor", self.cursor), ("from", str(self.place or ""))] if self.cursor else []
        return make_address(
            [*self.list_pairs(self.query.given), *(pair for pair in at if pair[1]), (name, value)]
        )

    def accounts(self, user: User) -> QuerySet[Account]:
        """Return the accounts that match. Raises Http404 for a team or connection that the person does not see."""
        key = f"{user.pk} {self.query.given}"
        if key not in self.found:
            try:
                self.found[key] = filter_accounts(user, self.query)
            except UnknownObjectError as error:
                raise Http404 from error
        return self.found[key].all()

    def page(self, user: User) -> Page[Account]:
        """Return the rows, none if they are grouped. A ValidationError says that the cursor is old, foreign or forged."""
        if self.group:
            return Page([], None, None)
        rows = (
            self.accounts(user)
            .select_related("connection", "team")
            .defer("metadata", "connection__access_token", "connection__refresh_token")
        )
        return paginate_accounts(rows, self.ordering, self.page_size).page(self.cursor)


def _read_group(parameters: QueryDict) -> str:
    text = parameters.get("group", "")
    key = text.removeprefix(LABEL_PREFIX)
    is_label = key != text and len(key) <= MAX_LABEL_LENGTH and LABEL_NAME.fullmatch(key) is not None
    return text if text in GROUPINGS or is_label else ""


def _read_saved(parameters: QueryDict) -> str:
    try:
        return str(UUID(parameters.get("saved", "")))
    except ValueError:
        return ""


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
