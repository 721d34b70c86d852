"""The one filter of connections, behind the API, batches, the command, the dashboard and the admin."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django.db.models import F, Q, Value
from django.db.models.functions import Lower
from django.db.models.lookups import Contains

from accounts.lists.any_of import id_is_one_of
from accounts.lists.by_content import (
    COMMON_SHARE,
    MIN_TRIGRAM_LENGTH,
    Content,
    Sample,
    apply_contents,
    contains_object,
    make_pattern,
    parse_id,
)
from accounts.lists.connection_parameters import read_connection_query
from accounts.lists.filters import check_teams
from accounts.lists.parameters import ListQuery
from amazon_accounts.postgresql.statements import load
from amazon_accounts.postgresql.trigrams import Trigrams
from tokens.models import Connection, ConnectionQuerySet, ConsentState, where_consent
from tokens.permissions import Actor

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
        contents["labels"] = contains_object(Connection.objects.all(), "labels", filters["labels"])
    if filters.get("search"):
        contents["search"] = _contains_text(filters["search"])
    return apply_contents(connections, contents, SAMPLE, common_share=common_share)


def _contains_text(term: str) -> Content:
    contains = Q(Contains(F("search_text"), Lower(Value(term))))
    matching = Connection.objects.filter(contains)
    if len(term) >= MIN_TRIGRAM_LENGTH:
        matching = matching.alias(trigrams=Trigrams("search_text")).filter(
            trigrams__contains=Trigrams(Lower(Value(term)))
        )
    condition, found = contains, matching.order_by().values("pk")
    if own_id := parse_id(term):
        condition |= Q(pk=own_id)
        found = found.union(Connection.objects.filter(pk=own_id).order_by().values("pk"), all=True)
    return Content(condition=condition, indexed=Q(id_is_one_of(found)), sample=make_pattern(term))
