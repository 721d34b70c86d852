"""Alerts that wait during the upgrade to alerts by team."""

import psycopg
import pytest

from tests.upgrade.conftest import Database

# Without the mark, pytest-django makes no database.
pytestmark = pytest.mark.django_db


def test_alerts_know_their_key_and_who_took_their_message(old_database: Database) -> None:
    old_database.migrate("tokens", "0030")
    with psycopg.connect(**old_database.parameters) as database:
        database.execute(
            "INSERT INTO tokens_apikey (id, name, beginning, digest, user_id, role, expires_at)"
            " SELECT '0193c8a0-0000-7000-8000-000000000001', 'Report', 'aak_1', '1', id, '', now() + interval '9 days'"
            " FROM auth_user ORDER BY id LIMIT 1"
        )
        database.execute(
            "INSERT INTO tokens_alert (id, kind, key, text, tries, error, message_id, taken_by, next_try_at)"
            " SELECT gen_random_uuid(), kind, key, '', 1, '', '0193c8a0-0000-7000-8000-000000000002', taken_by::text[], due"
            " FROM (VALUES"
            " ('api_key_ending', 'api_key_ending:0193c8a0-0000-7000-8000-000000000001', '{}', NULL),"
            " ('api_key_ending', 'api_key_ending:0193c8a0-0000-7000-8000-000000000009', '{}', NULL),"
            " ('connection_broken', 'waits', '{ab,cd}', now()),"
            " ('connection_broken', 'waits too', '{ab}', now())"
            " ) alert (kind, key, taken_by, due)"
        )
    old_database.migrate()
    keys = "SELECT api_key_id::text FROM tokens_alert WHERE kind = 'api_key_ending' ORDER BY key"
    assert old_database.fetch(keys) == [("0193c8a0-0000-7000-8000-000000000001",), (None,)]
    taken = "SELECT message_id::text, recipient FROM tokens_alertdelivery ORDER BY recipient"
    message = "0193c8a0-0000-7000-8000-000000000002"
    assert old_database.fetch(taken) == [(message, "address:ab"), (message, "address:cd")]
