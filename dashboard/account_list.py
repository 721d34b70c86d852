"""The state of the accounts page. The address holds all of it, under the parameter names of the API.

The page ignores unknown parameters, because people edit addresses and keep old bookmarks. It shows which filters cannot
be used, and refuses an operation on "all that match" while there is such a filter.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

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
    AccountQuery,
    read_account_query,
)
from accounts.models import Account

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
class AccountList:
    query: AccountQuery = field(default_factory=AccountQuery)
    view: str = DEFAULT_VIEW

    @classmethod
    def read(cls, parameters: QueryDict, *, last_view: str = "") -> "AccountList":
        view = parameters.get("view", last_view)
        return cls(
            read_account_query(parameters, paging=PAGING, ignored=PAGE_ONLY),
            view if view in VIEWS else DEFAULT_VIEW,
        )

    @property
    def errors(self) -> list[str]:
        return [f"{name}: {text}" for name, text in self.query.errors.items() if name in FILTERS]

    def typed(self, name: str) -> str:
        # A field shows what a person typed, even if the filter cannot be used.
        return next(iter(self.query.rejected.get(name) or self.query.given.get(name) or ()), "")

    def values(self, name: str) -> list[str]:
        return self.query.given.get(name, [])

    @property
    def is_filtered(self) -> bool:
        return bool(self.query.given) or bool(self.errors)

    @property
    def cursor(self) -> str:
        return self.query.cursor

    @property
    def ordering(self) -> str:
        return self.query.ordering

    def without(self, *names: str) -> "AccountList":
        return replace(self, query=self.query.without(*names))

    def toggle_address(self, name: str, value: str) -> str:
        # The cursor is left out: another choice begins at its first page.
        others = [each for each in self.values(name) if each != value]
        values = others if value in self.values(name) else [*self.values(name), value]
        return _address(self._pairs({**self.query.given, name: values}))

    def sort_address(self, ordering: str) -> str:
        return _address(self._pairs(self.query.given, ordering=ordering))

    def page_address(self, cursor: str = "") -> str:
        return _address([*self._pairs(self.query.given), *([("cursor", cursor)] if cursor else [])])

    def view_address(self, view: str) -> str:
        # The address names the default view too, because without a name the page takes the last view from a cookie.
        pairs = [pair for pair in self._pairs(self.query.given) if pair[0] != "view"]
        return _address([*pairs, *([("cursor", self.cursor)] if self.cursor else []), ("view", view)])

    @property
    def filter_query(self) -> str:
        """The filters, usable or not, as a query string. This is what "all that match" means."""
        rejected = {name: values for name, values in self.query.rejected.items() if name in FILTERS}
        return urlencode({**self.query.given, **rejected}, doseq=True)

    @property
    def hidden_inputs(self) -> list[tuple[str, str]]:
        # A search keeps all parameters but the old search text.
        return [pair for pair in self._pairs(self.query.given) if pair[0] != "search"]

    def _pairs(self, given: Mapping[str, list[str]], *, ordering: str = "") -> list[tuple[str, str]]:
        pairs = [(name, value) for name, values in given.items() for value in values]
        shown = {
            "ordering": (ordering or self.ordering, DEFAULT_ORDERING),
            "view": (self.view, DEFAULT_VIEW),
            "page_size": (str(self.query.page_size or ""), ""),
        }
        return pairs + [(name, value) for name, (value, default) in shown.items() if value != default]

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


def _address(pairs: list[tuple[str, str]]) -> str:
    return f"?{urlencode(pairs)}"


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
