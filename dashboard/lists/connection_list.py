"""The state of the connections page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import Http404, QueryDict

from accounts.errors import UnknownObjectError
from accounts.lists.connection_filters import filter_connections
from accounts.lists.connection_pages import paginate_connections
from accounts.lists.connection_parameters import DEFAULT_ORDERING, FILTERS, read_connection_query
from accounts.lists.pages import Page
from accounts.lists.parameters import PAGING
from dashboard.lists.state import ListState, read_place
from tokens.models import Connection

# The parameter and the word of this page before it took over those of the API. Bookmarks still have them.
OLD_NAMES = {"after": "cursor"}
CONNECTED: Sequence[str] = [state for state in Connection.State if state != Connection.State.DISCONNECTED]
OLD_STATES = {"attention": Connection.State.REAUTHORIZATION_REQUIRED.value}


@dataclass(frozen=True)
class ConnectionList(ListState):
    filters = FILTERS
    default_ordering = DEFAULT_ORDERING

    @classmethod
    def read(cls, parameters: QueryDict) -> Self:
        query = read_connection_query(parameters, paging=PAGING)
        return cls(query, read_place(parameters, query.cursor))

    @property
    def always(self) -> Sequence[str]:
        """The states to which the list itself is limited; none: every state."""
        return ()

    def chosen(self, name: str) -> list[str]:
        """Return the values that a person has chosen for a filter."""
        return [] if name == "state" and self.always else self.values(name)

    def connections(self, user: User) -> QuerySet[Connection]:
        """Return the connections that match. Raises Http404 for a team that the person does not see."""
        try:
            return filter_connections(user, self.query)
        except UnknownObjectError as error:
            raise Http404 from error

    def page(self, user: User) -> Page[Connection]:
        """Return the rows. A ValidationError says that the cursor is old, foreign or forged."""
        # No page shows a token, so none is read.
        rows = self.connections(user).select_related("owner", "team").defer("access_token", "refresh_token")
        return paginate_connections(rows, self.ordering, self.page_size).page(self.cursor)


@dataclass(frozen=True)
class RenewalList(ConnectionList):
    """The list of logins whose consent can be renewed: all that are not disconnected, the next to end first."""

    default_ordering = "consent_ends_at"

    @classmethod
    def read(cls, parameters: QueryDict) -> Self:
        parameters.setlist("state", list(CONNECTED))
        parameters.setdefault("ordering", cls.default_ordering)
        return super().read(parameters)

    @property
    def always(self) -> Sequence[str]:
        return CONNECTED

    @property
    def is_filtered(self) -> bool:
        return bool(self.query.given.keys() - {"state"}) or bool(self.errors)

    def list_pairs(self, given: Mapping[str, list[str]], *, ordering: str = "") -> list[tuple[str, str]]:
        # The page adds the states by itself.
        pairs = super().list_pairs(given, ordering=ordering)
        return [pair for pair in pairs if pair[0] != "state"]


def translate_parameters(parameters: QueryDict) -> QueryDict:
    """Return the parameters under their present names, without the parameters that a form sent empty."""
    translated = QueryDict(mutable=True)
    for old_name, old_values in parameters.lists():
        name = OLD_NAMES.get(old_name, old_name)
        if name != old_name and name in parameters:
            continue
        values = [OLD_STATES.get(value, value) if name == "state" else value for value in old_values]
        if values := [value for value in values if value.strip()]:
            translated.setlist(name, values)
    return translated
