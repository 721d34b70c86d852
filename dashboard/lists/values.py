"""How many accounts have each value of a column that no word list knows: countries, labels, connections."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection as database
from django.db.models import QuerySet

from accounts.models import Account

MAX_VALUES = 200
# The column of an account, and what makes its value one row for each part.
COLUMNS: Mapping[str, tuple[str, str]] = {
    "country": ("countries", "SELECT part FROM matched, unnest(matched.held) AS part"),
    "connection": ("connection_id", "SELECT held AS part FROM matched"),
    "labels": (
        "labels",
        "SELECT pair.key || ':' || pair.value AS part FROM matched, jsonb_each_text(matched.held) AS pair",
    ),
}


@dataclass(frozen=True)
class Values:
    """The commonest values, and whether the accounts are too many to count all of them."""

    numbers: Mapping[Any, int]
    is_cut: bool


def count_values(accounts: QuerySet[Account], name: str, *, cap: int) -> Values:
    """Count the values of the first `cap` accounts; of more accounts, the values are only suggestions."""
    column, parts = COLUMNS[name]
    try:
        matched, parameters = accounts.order_by().values_list(column)[: cap + 1].query.sql_with_params()
    except EmptyResultSet:
        return Values({}, is_cut=False)
    with database.cursor() as cursor:
        cursor.execute(
            f"WITH matched (held) AS MATERIALIZED ({matched})"  # noqa: S608 - SQL of Django's and of this module
            f" SELECT part, count(*), (SELECT count(*) FROM matched) FROM ({parts}) AS parts"
            f" GROUP BY part ORDER BY count(*) DESC, part LIMIT {MAX_VALUES}",
            parameters,
        )
        rows = cursor.fetchall()
    return Values(
        {value: number for value, number, _ in rows}, is_cut=any(total > cap for *_, total in rows[:1])
    )
