"""The one filter of connections, behind the API, batches, the command, the dashboard and the admin."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django.contrib.postgres.lookups import DataContains
from django.db.models import F, Q, Value
from django.db.models.functions import Lower
from django.db.models.lookups import Contains

from accounts.lists.by_content import (
    MIN_TRIGRAM_LENGTH,
    Content,
    Sample,
    apply_contents,
    make_pattern,
    parse_id,
)
from accounts.lists.connection_parameters import read_connection_query
from accounts.lists.filters import check_teams
from accounts.lists.labels import where_labels, write_samples
from accounts.lists.parameters import ListQuery
from amazon_accounts.postgresql.statements import load
from amazon_accounts.postgresql.trigrams import Trigrams
from tokens.models import Connection, ConnectionQuerySet, ConsentState, where_consent
from tokens.permissions import Actor

# Above this share the connections are read in the order of the list. It is greater than that of accounts, because all that
# match may sort behind all others, and a hundred thousand connections have few matches.
COMMON_SHARE: Final = 0.05  # of the connections
SAMPLE: Final = Sample(load(__file__, "count_connections_in_sample"), ("labels", "search"))


def filter_connections(
    user: Actor, asked: ListQuery | Mapping[str, Any], *, common_share: float = COMMON_SHARE
) -> ConnectionQuerySet:
    """Return the connections that the person may see and that the query, or an object of its filters, chooses.

    Raises ValidationError by parameter for wrong filters of an object, and UnknownObjectError for a team that the
    person may not see. Costs at most two queries.
    """
    query = asked if isinstance(asked, ListQuery) else read_connection_query(asked).check()
    filters = query.filters
    connections = Connection.objects.visible_to(user)
    if filters.get("team"):
        connections = connections.filter(team__in=check_teams(user, {UUID(each) for each in filters["team"]}))
    if filters.get("state"):
        connections = connections.filter(state__in=filters["state"])
    if filters.get("paused"):
        connections = connections.filter(paused__in=[word == "true" for word in filters["paused"]])
    if filters.get("region"):
        connections = connections.filter(regions__overlap=filters["region"])
    if filters.get("consent"):
        consents = Q()
        for word in filters["consent"]:
            consents |= where_consent(ConsentState(word))
        connections = connections.filter(consents)
    contents = {}
    if filters.get("labels"):
        labelled = where_labels(filters["labels"])
        sample = write_samples(filters["labels"])
        contents["labels"] = Content(condition=labelled, indexed=labelled, sample=sample)
    if filters.get("search"):
        contents["search"] = _contains_text(filters["search"])
    return apply_contents(connections, contents, SAMPLE, common_share=common_share)


def _contains_text(term: str) -> Content:
    condition = indexed = Q(Contains(F("search_text"), Lower(Value(term))))
    if len(term) >= MIN_TRIGRAM_LENGTH:
        indexed &= Q(DataContains(Trigrams("search_text"), Trigrams(Lower(Value(term)))))
    if own_id := parse_id(term):
        condition, indexed = condition | Q(pk=own_id), indexed | Q(pk=own_id)
    return Content(condition=condition, indexed=indexed, sample=make_pattern(term))
