"""A database of made-up accounts, always the same ones: for the benchmarks of lists, pages and batches.

Of the accounts 90% are active, 5% inactive, 3% suspended, 2% pending; half have the label `team: north`, one of a
thousand `campaign: spring`; every second name has `Garden` in it, one of fifty thousand `Zephyr`. A connection has a
thousand accounts, at least ten connections there are, one of a hundred of them fails.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.models import Group, User
from django.db import connection
from django.db.models import Model
from django.utils import timezone

from accounts.models import Account, AccountAccess, AccountSearch, Profile
from tokens.models import Connection

OWNER, BOSS = "olivia", "boss"
CHUNK = 50_000

ACCOUNT = {
    "id": "('01900000-0000-7' || lpad(to_hex(n % 4096), 3, '0') || '-8000-' || lpad(to_hex(n), 12, '0'))::uuid",
    "amazon_account_id": "'amzn1.ads-account.g.' || md5('a' || n)",
    "connection_id": "('00000000-0000-7000-8000-' || lpad(to_hex(1 + n % {connections}), 12, '0'))::uuid",
    "name": "initcap(substr(md5('n' || n), 1, 6)) || CASE n % 2 WHEN 0 THEN ' Garden' ELSE ' Kitchen' END"
    " || CASE WHEN n % 50000 = 500 THEN ' Zephyr ' ELSE ' Company ' END || n",
    "account_type": "(ARRAY['seller', 'seller', 'seller', 'seller', 'seller', 'vendor', 'vendor', 'agency', 'advertiser',"
    " 'unknown'])[1 + n % 10]",
    "status": "CASE WHEN n % 100 < 90 THEN 'active' WHEN n % 100 < 95 THEN 'inactive' WHEN n % 100 < 98 THEN 'suspended'"
    " ELSE 'pending' END",
    "inactive_reason": "CASE WHEN n % 100 >= 90 AND n % 100 < 95 THEN 'not_visible' END",
    "countries": "CASE n % 3 WHEN 0 THEN ARRAY['US', 'CA'] WHEN 1 THEN ARRAY['DE'] ELSE ARRAY['GB', 'FR'] END",
    "metadata": "jsonb_build_object('adsAccountId', md5('a' || n), 'tier', n % 1000, 'note', md5('x' || n), 'alternateIds',"
    " jsonb_build_array(jsonb_build_object('countryCode', 'US', 'profileId', n::text)))",
    "labels": 'CASE WHEN n % 1000 = 0 THEN \'{{"team": "north", "campaign": "spring"}}\''
    " WHEN n % 2 = 0 THEN '{{\"team\": \"north\"}}' ELSE '{{}}' END::jsonb",
}
PROFILE = {
    "account_id": "other.id",
    "profile_id": "'1' || lpad((other.metadata ->> 'tier'), 3, '0') || md5(other.id::text || country.number)",
    "country_code": "country.code",
    "marketplace_id": "CASE country.code WHEN 'US' THEN 'ATVPDKIKX0DER' WHEN 'CA' THEN 'A2EUQ1WTGCTBG2'"
    " WHEN 'DE' THEN 'A1PA6795UKMFR9' WHEN 'GB' THEN 'A1F83G8C2ARO7P' ELSE 'A13V1IB3VIYZZH' END",
}


def fill(number: int) -> User:
    """Put so many accounts into the empty database; return the operator who owns them."""
    owner = User.objects.create_user(OWNER, is_staff=True)
    owner.groups.add(Group.objects.get(name="Operator"))
    User.objects.create_superuser(BOSS)
    connections = max(10, number // 1_000)
    _connect(owner, connections)
    template = Account(
        user=owner, connection_id=UUID(int=0), source="ads_accounts", status="active", amazon_status="CREATED"
    )
    expressions = {column: text.format(connections=connections) for column, text in ACCOUNT.items()}
    with _bare_tables():
        for first in range(1, number + 1, CHUNK):
            _copy(template, expressions, f"generate_series({first}, {min(number, first + CHUNK - 1)}) n")
        _copy(
            AccountAccess(seen_in=["ads_accounts"]),
            {"account_id": "other.id", "connection_id": "other.connection_id"},
            "user_accounts other",
        )
        _copy(
            Profile(region="EU", type="seller", currency_code="EUR", access_level="edit", name="Shop"),
            PROFILE,
            "user_accounts other, unnest(other.countries) WITH ORDINALITY country (code, number)",
        )
        _copy(
            AccountSearch(is_indexed=True),
            {"account_id": "other.id", "text": "lower(other.name || chr(10) || other.amazon_account_id)"},
            "user_accounts other",
        )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return owner


@contextmanager
def _bare_tables() -> Iterator[None]:
    """Without triggers, and with indexes that are made at the end: ten times as fast."""
    tables = [model._meta.db_table for model in (Account, AccountAccess, AccountSearch, Profile)]
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY(%s) AND indexname NOT IN"
            " (SELECT conname FROM pg_constraint)",
            [tables],
        )
        indexes = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(f"DROP INDEX {name}")
        yield
        cursor.execute("SET maintenance_work_mem = '256MB'")
        for _, definition in indexes:
            cursor.execute(definition)
        cursor.execute("SET session_replication_role = origin")


def _connect(owner: User, number: int) -> None:
    now = timezone.now()
    Connection.objects.bulk_create(
        Connection(
            pk=UUID(f"00000000-0000-7000-8000-{each:012x}"), owner=owner, label=f"Login {each}", client_id="bench",
            refresh_token="none", last_synced_at=now - timedelta(seconds=each),
            sync_failures=2 if each % 100 == 7 else 0,
        )
        for each in range(1, number + 1)
    )  # fmt: skip


def _copy(template: Model, expressions: dict[str, str], source: str) -> None:
    """Insert a row like the template for each row of the source, but for the columns with an expression."""
    fields = [
        field for field in template._meta.concrete_fields if field.attname != "id" or "id" in expressions
    ]
    values: list[str] = []
    parameters: list[Any] = []
    for field in fields:
        if field.column in expressions:
            values.append(expressions[field.column].replace("%", "%%"))
        else:
            values.append("%s")
            parameters.append(field.get_db_prep_save(field.pre_save(template, add=True), connection))
    columns = ", ".join(str(field.column) for field in fields)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {template._meta.db_table} ({columns}) SELECT {', '.join(values)} FROM {source}",
            parameters,
        )
