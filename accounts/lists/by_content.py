"""The filters on what is inside a row: `search`, `metadata`, `labels`."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from django.db import connection as database
from django.db.models import BooleanField, Case, Exists, F, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Lower
from django.db.models.lookups import Contains

from accounts.lists.any_of import id_is_one_of
from accounts.lists.labels import where_labels, write_samples
from accounts.models import Account, AccountSearch, Profile
from accounts.models.account import AccountQuerySet
from amazon_accounts.postgresql.statements import load
from amazon_accounts.postgresql.trigrams import Trigrams

SAMPLE_PAGES = 250  # pages of the table, of about eight rows each
COMMON_SHARE = 0.01  # of the rows
MIN_TRIGRAM_LENGTH = 3  # characters
Rows = TypeVar("Rows", bound=QuerySet[Any])


@dataclass(frozen=True, kw_only=True)
class Content:
    """The condition of one filter, in two forms, because PostgreSQL cannot guess how many rows meet it."""

    condition: Q
    #: The same, written so that PostgreSQL uses the index.
    indexed: Q
    #: How the filter is counted in a sample: a text, or objects of which one must be contained.
    sample: str | list[str]


@dataclass(frozen=True)
class Sample:
    """A statement that counts rows in a sample, and the filters whose matches it counts, in its order."""

    statement: str
    names: Sequence[str]


SAMPLE_OF_ACCOUNTS = Sample(load(__file__, "count_in_sample"), ("metadata", "labels", "search"))


def filter_by_content(
    accounts: AccountQuerySet, filters: Mapping[str, Any], *, common_share: float = COMMON_SHARE
) -> AccountQuerySet:
    """Apply `search`, `metadata` and `labels`. Costs one query, which counts the matches in a sample."""
    contents = {}
    if filters.get("metadata"):
        value = filters["metadata"]
        contents["metadata"] = _by_index(Q(metadata__contains=value), json.dumps(value))
    if filters.get("labels"):
        contents["labels"] = _by_index(where_labels(filters["labels"]), write_samples(filters["labels"]))
    if filters.get("search"):
        contents["search"] = _contains_text(filters["search"])
    return apply_contents(accounts, contents, SAMPLE_OF_ACCOUNTS, common_share=common_share)


def apply_contents(
    rows: Rows, contents: Mapping[str, Content], sample: Sample, *, common_share: float = COMMON_SHARE
) -> Rows:
    """Return the rows that meet the conditions. Costs one query, which counts the matches in a sample."""
    # PostgreSQL guesses that few rows contain a text or an object, and takes the index. When many rows do, it would
    # collect and sort all of them for one page; then the rows are read in the order of the list instead.
    if not contents:
        return rows
    shares = _measure_shares(sample, {name: content.sample for name, content in contents.items()})
    for name, content in contents.items():
        is_common = shares[name] > common_share
        rows = rows.filter(_hide_from_index(content.condition) if is_common else content.indexed)
    return rows


def _measure_shares(sample: Sample, wanted: Mapping[str, str | list[str]]) -> dict[str, float]:
    parameters = {name: wanted.get(name) for name in sample.names} | {"pages": SAMPLE_PAGES}
    with database.cursor() as cursor:
        cursor.execute(sample.statement, parameters)
        sampled, *counts = cursor.fetchone()
    return {name: count / max(sampled, 1) for name, count in zip(sample.names, counts, strict=True)}


def _hide_from_index(condition: Q) -> Case:
    # No index answers a CASE, and PostgreSQL guesses that half of the rows meet it.
    return Case(
        When(condition, then=Value(value=True)), default=Value(value=False), output_field=BooleanField()
    )


def _by_index(condition: Q, sample: str | list[str]) -> Content:
    matching = Account.objects.filter(condition).order_by().values("pk")
    return Content(condition=condition, indexed=Q(id_is_one_of(matching)), sample=sample)


def _contains_text(term: str) -> Content:
    text = Lower(Value(term))
    profiles = Profile.objects.filter(profile_id=term)
    in_row = Q(Contains(Lower(F("name")), text)) | Q(Contains(Lower(F("amazon_account_id")), text))
    in_row |= Q(Exists(profiles.filter(account=OuterRef("pk"))))
    found = _find_by_trigrams(term).union(profiles.values("account"), all=True)
    if own_id := parse_id(term):
        in_row |= Q(pk=own_id)
        found = found.union(Account.objects.filter(pk=own_id).values("pk"), all=True)
    return Content(condition=in_row, indexed=Q(id_is_one_of(found)), sample=make_pattern(term))


def make_pattern(term: str) -> str:
    """Return the pattern for LIKE of the texts that contain the term."""
    escaped = re.sub(r"([%_\\])", r"\\\1", term)
    return f"%{escaped}%"


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


def parse_id(term: str) -> UUID | None:
    """Return the id that the term is, if it is one."""
    try:
        return UUID(term)
    except ValueError:
        return None
