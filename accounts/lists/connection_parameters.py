"""The parameters of the list of connections."""

from typing import Final

import django_filters

from accounts.lists.connection_pages import CONNECTION_ORDERINGS
from accounts.lists.parameters import (
    ID_PATTERN,
    MAX_JSON_LENGTH,
    MAX_SEARCH_LENGTH,
    Codes,
    ContainsLabels,
    ParameterReader,
    any_of_words,
)
from amazon_accounts.amazon_ads.hosts import Region
from tokens.models import Connection, ConsentState

ORDERINGS: Final = [direction + name for name in CONNECTION_ORDERINGS for direction in ("", "-")]


class ConnectionFilterSet(django_filters.FilterSet):
    """The filters of the list. Several values of one filter mean any of them."""

    state = any_of_words(Connection.State.values, "Whether Amazon accepts the login.")
    paused = any_of_words(["true", "false"], "Whether the connection is paused.")
    region = any_of_words(Region.values, "A region that is read.")
    consent = any_of_words(
        ConsentState,
        "How long the consent of the login holds: `ends_in_30` are those that end in 30 days or less and have not "
        "ended, `unknown` those of which nobody knows the date. Disconnected logins have no consent.",
    )
    team = Codes(
        pattern=ID_PATTERN, shape="the id of a team", help_text="The id of a team that has the connection."
    )
    search = django_filters.CharFilter(
        min_length=1,
        max_length=MAX_SEARCH_LENGTH,
        strip=False,
        help_text="Text anywhere in the label, in what Amazon says of the login, or in the contact; or our id.",
    )
    labels = ContainsLabels(
        help_text=f"A JSON object that `labels` contains, of at most {MAX_JSON_LENGTH:,} characters;"
        " a list of values means any of them, and `null` that the label is absent. Or one label as `client:acme`."
    )


_CONNECTIONS: Final = ParameterReader(ConnectionFilterSet, ORDERINGS, rows=Connection.objects.none())
FILTERS: Final = _CONNECTIONS.filters
DEFAULT_ORDERING: Final = ORDERINGS[0]
read_connection_query = _CONNECTIONS.read
