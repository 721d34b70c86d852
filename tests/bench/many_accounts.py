"""A database of generated accounts, the same accounts each time, for the benchmarks of lists, pages and batches.

Of the accounts 90% are active, 5% inactive, 3% suspended, 2% pending; 2% are at risk, and of 0.1% the standing is not
known; a fifth are vendors, a sixth are in Germany; half
have the label `team: north`, one of a thousand `campaign: spring`; every second name has `Garden` in it, one of fifty
thousand `Zephyr`. A connection has a thousand accounts, at least ten there are, and one of a hundred fails. All belong to
the team of one operator, or to many teams, of which each has as many connections as the others.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Model
from django.db.models.expressions import DatabaseDefault
from django.utils import timezone

from accounts.models import Account, AccountAccess, AccountSearch, Profile
from amazon_accounts.postgresql.deadlines import no_deadlines
from tokens.models import Connection, Membership, Team
from tokens.people.roles import Role

OWNER, BOSS = "olivia", "boss"
CHUNK = 50_000

# `n` counts the accounts; `a` to `d` are numbers that have nothing to do with each other.
SOURCE = """(
    SELECT n, hash, abs(hashint8(n)) a, abs(hashint8(n + 1000000007)) b, abs(hashint8(n + 2000000011)) c,
           abs(hashint8(n + 3000000019)) d
      FROM generate_series({first}, {last}) n, LATERAL (SELECT md5(n::text) AS hash) hashed
) source"""
ACCOUNT = {
    "id": "('01900000-' || substr(hash, 1, 4) || '-7' || substr(hash, 5, 3) || '-8000-' || lpad(to_hex(n), 12, '0'))::uuid",
    "amazon_account_id": "'amzn1.ads-account.g.' || hash",
    "connection_id": "('00000000-0000-7000-8000-' || lpad(to_hex(1 + n % {connections}), 12, '0'))::uuid",
    "team_id": "('00000000-0000-7000-9000-' || lpad(to_hex((1 + n % {connections}) % {teams}), 12, '0'))::uuid",
    "name": "initcap(substr(hash, 9, 6)) || CASE a % 2 WHEN 0 THEN ' Garden' ELSE ' Kitchen' END"
    " || CASE WHEN n % 50000 = 500 THEN ' Zephyr ' ELSE ' Company ' END || n",
    "account_type": "(ARRAY['seller', 'seller', 'seller', 'seller', 'seller', 'vendor', 'vendor', 'agency', 'advertiser',"
    " 'unknown'])[1 + b % 10]",
    "status": "CASE WHEN c % 100 < 90 THEN 'active' WHEN c % 100 < 95 THEN 'inactive' WHEN c % 100 < 98 THEN 'suspended'"
    " ELSE 'pending' END",
    "inactive_reason": "CASE WHEN c % 100 >= 90 AND c % 100 < 95 THEN 'not_visible' END",
    "standing": "CASE WHEN c % 100 >= 98 THEN 'set_up' WHEN c % 100 >= 95 THEN 'suspended' WHEN c % 100 >= 90 THEN"
    " 'unknown' WHEN c % 100 < 2 THEN 'at_risk' WHEN d % 1000 = 0 THEN 'unknown' ELSE 'good' END",
    "countries": "CASE WHEN d % 6 = 0 THEN ARRAY['DE'] WHEN d % 2 = 0 THEN ARRAY['US', 'CA'] ELSE ARRAY['GB', 'FR'] END",
    "metadata": "jsonb_build_object('adsAccountId', hash, 'tier', a % 1000, 'note', repeat(hash, 8))",
    "labels": 'CASE WHEN a % 1000 = 0 THEN \'{{"team": "north", "campaign": "spring"}}\''
    " WHEN a % 2 = 0 THEN '{{\"team\": \"north\"}}' ELSE '{{}}' END::jsonb",
}
PROFILE = {
    "account_id": "other.id",
    "profile_id": "'1' || ('x' || right(other.id::text, 12))::bit(48)::bigint || country.number",
    "country_code": "country.code",
    "marketplace_id": "CASE country.code WHEN 'US' THEN 'ATVPDKIKX0DER' WHEN 'CA' THEN 'A2EUQ1WTGCTBG2'"
    " WHEN 'DE' THEN 'A1PA6795UKMFR9' WHEN 'GB' THEN 'A1F83G8C2ARO7P' ELSE 'A13V1IB3VIYZZH' END",
}


def fill(number: int, *, connections: int = 0, teams: int = 1) -> User:
    """Put `number` accounts into the empty database; return the operator who owns them."""
    owner = User.objects.create_user(OWNER, is_staff=True)
    User.objects.create_superuser(BOSS)
    ids = [UUID(f"00000000-0000-7000-9000-{each:012x}") for each in range(teams)]
    Team.objects.bulk_create(Team(id=each, name=f"Team {place}") for place, each in enumerate(ids))
    Membership.objects.create(team_id=ids[0], user=owner, role=Role.OPERATOR)
    connections = connections or max(10, number // 1_000)
    _connect(owner, connections, ids)
    template = Account(
        team_id=ids[0],
        user=owner,
        connection_id=UUID(int=0),
        source="ads_accounts",
        status="active",
        amazon_status="CREATED",
    )
    expressions = {
        column: text.format(connections=connections, teams=teams) for column, text in ACCOUNT.items()
    }
    with no_deadlines(), _bare_tables():
        for first in range(1, number + 1, CHUNK):
            last = min(number, first + CHUNK - 1)
            copy_rows(template, expressions, SOURCE.format(first=first, last=last))
        copy_rows(
            AccountAccess(seen_in=["ads_accounts"]),
            {"account_id": "other.id", "connection_id": "other.connection_id"},
            "user_accounts other",
        )
        copy_rows(
            Profile(region="EU", type="seller", currency_code="EUR", access_level="edit", name="Shop"),
            PROFILE,
            "user_accounts other, unnest(other.countries) WITH ORDINALITY country (code, number)",
        )
        copy_rows(
            AccountSearch(is_indexed=True),
            {"account_id": "other.id", "text": "lower(other.name || chr(10) || other.amazon_account_id)"},
            "user_accounts other",
        )
    with no_deadlines(), connection.cursor() as cursor:
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


def _connect(owner: User, number: int, teams: list[UUID]) -> None:
    now = timezone.now()
    Connection.objects.bulk_create(
        Connection(
            id=UUID(f"00000000-0000-7000-8000-{each:012x}"), team_id=teams[each % len(teams)], owner=owner, label=f"Login {each}", client_id="bench",
            refresh_token="none", last_synced_at=now - timedelta(seconds=each),
            sync_failures=2 if each % 100 == 7 else 0,
        )
        for each in range(1, number + 1)
    )  # fmt: skip


def copy_rows(template: Model, expressions: dict[str, str], source: str) -> None:
    """Insert a row like the template for each row of the source, but for the columns with an expression."""
    # The database gives ids and the values of the columns that have a default there.
    fields = [
        field
        for field in template._meta.concrete_fields
        if (field.column in expressions and not field.generated)
        or not (
            field.generated
            or field.attname == "id"
            or isinstance(getattr(template, field.attname), DatabaseDefault)
        )
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
