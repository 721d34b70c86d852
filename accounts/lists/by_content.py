"""The filters on what is inside a row: `search`, `metadata`, `labels`."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection as database
from django.db.models import BooleanField, Case, Exists, F, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Lower
from django.db.models.lookups import Contains

from accounts.lists.any_of import id_is_one_of
from accounts.models import Account, AccountSearch, Profile
from accounts.models.account import AccountQuerySet
from accounts.models.search import Trigrams
from amazon_accounts.postgresql.statements import load

SAMPLE_PAGES = 250  # pages of the table, of about eight rows each
COMMON_SHARE = 0.01  # of the rows
MIN_TRIGRAM_LENGTH = 3  # characters


@dataclass(frozen=True, kw_only=True)
class _Content:
    """The condition of one filter, in two forms, because PostgreSQL cannot guess how many rows meet it."""

    condition: Q
    #: The same, written so that PostgreSQL uses the index.
    indexed: Q
    #: How the filter is counted in a sample.
    sample: str


def filter_by_content(
    accounts: AccountQuerySet, filters: Mapping[str, Any], *, common_share: float = COMMON_SHARE
) -> AccountQuerySet:
    """Apply `search`, `metadata` and `labels`. Costs one query, which counts the matches in a sample."""
    # PostgreSQL guesses that few rows contain a text or an object, and takes the index. When many rows do, it would
    # collect and sort all of them for one page; then the rows are read in the order of the list instead.
    contents = {
        name: _contains_object(name, filters[name]) for name in ("metadata", "labels") if filters.get(name)
    }
    if filters.get("search"):
        contents["search"] = _contains_text(filters["search"])
    if not contents:
        return accounts
    shares = _measure_shares({name: content.sample for name, content in contents.items()})
    for name, content in contents.items():
        is_common = shares[name] > common_share
        accounts = accounts.filter(_hide_from_index(content.condition) if is_common else content.indexed)
    return accounts


def _measure_shares(samples: Mapping[str, str]) -> dict[str, float]:
    names = ("metadata", "labels", "search")
    parameters = {name: samples.get(name) for name in names} | {"pages": SAMPLE_PAGES}
    with database.cursor() as cursor:
        cursor.execute(load(__file__, "count_in_sample"), parameters)
        sampled, *counts = cursor.fetchone()
    return {name: count / max(sampled, 1) for name, count in zip(names, counts, strict=True)}


def _hide_from_index(condition: Q) -> Case:
    # No index answers a CASE, and PostgreSQL guesses that half of the rows meet it.
    return Case(
        When(condition, then=Value(value=True)), default=Value(value=False), output_field=BooleanField()
    )


def _contains_object(name: str, value: dict[str, Any]) -> _Content:
    condition = Q(**{f"{name}__contains": value})
    matching = Account.objects.filter(condition).order_by().values("pk")
    return _Content(condition=condition, indexed=Q(id_is_one_of(matching)), sample=json.dumps(value))


def _contains_text(term: str) -> _Content:
    text = Lower(Value(term))
    profiles = Profile.objects.filter(profile_id=term)
    in_row = Q(Contains(Lower(F("name")), text)) | Q(Contains(Lower(F("amazon_account_id")), text))
    in_row |= Q(Exists(profiles.filter(account=OuterRef("pk"))))
    found = _find_by_trigrams(term).union(profiles.values("account"), all=True)
    if own_id := _parse_id(term):
        in_row |= Q(pk=own_id)
        found = found.union(Account.objects.filter(pk=own_id).values("pk"), all=True)
    escaped = re.sub(r"([%_\\])", r"\\\1", term)
    return _Content(condition=in_row, indexed=Q(id_is_one_of(found)), sample=f"%{escaped}%")


def _find_by_trigrams(term: str) -> QuerySet[AccountSearch, Any]:
    # New names are not in the index of trigrams yet, so their texts are read.
    matching = (
        AccountSearch.objects.filter(Contains(F("text"), Lower(Value(term)))).order_by().values("account")
    )
    if len(term) < MIN_TRIGRAM_LENGTH:
        return matching
    indexed = matching.alias(trigrams=Trigrams("text")).filter(
        is_indexed=True, trigrams__contains=Trigrams(Lower(Value(term)))
    )
    return indexed.union(matching.filter(is_indexed=False), all=True)


def _parse_id(term: str) -> UUID | None:
    try:
        return UUID(term)
    except ValueError:
        return None
