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
        # The key and the value, and without a value how many have the key.
        "SELECT jsonb_build_array(pair.key, told.value)::text AS part FROM matched, jsonb_each_text(matched.held) AS pair, LATERAL (VALUES (pair.value), (NULL)) AS told (value)",
    ),
}


@dataclass(frozen=True)
class Values:
    """The commonest values, of how many accounts, and whether the accounts are too many to count all of them."""

    numbers: Mapping[Any, int]
    total: int
    is_cut: bool


def count_values(accounts: QuerySet[Account], name: str, *, cap: int) -> Values:
    """Count the values of the first `cap` accounts; of more accounts, the values are only suggestions."""
    column, parts = COLUMNS[name]
    try:
        matched, parameters = accounts.order_by().values_list(column)[: cap + 1].query.sql_with_params()
    except EmptyResultSet:
        return Values({}, 0, is_cut=False)
    with database.cursor() as cursor:
        cursor.execute(
            f"WITH matched (held) AS MATERIALIZED ({matched}), parts AS ({parts}),"  # noqa: S608 - SQL of Django's and of this module
            " counted AS (SELECT count(*) AS total FROM matched)"
            " SELECT part, count(part), total FROM counted LEFT JOIN parts ON true"
            f" GROUP BY part, total ORDER BY count(part) DESC, part LIMIT {MAX_VALUES}",
            parameters,
        )
        rows = cursor.fetchall()
    # Without any value there is one row, which has the number of accounts alone.
    total = rows[0][2]
    return Values({part: number for part, number, _ in rows if part is not None}, total, is_cut=total > cap)
