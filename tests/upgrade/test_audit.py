"""What was recorded before there was an audit trail is in the trail after the migration."""

from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from tests.processes import environment, run
from tests.upgrade.conftest import DUMP_KEY, Database

# Without the mark, pytest-django makes no database.
pytestmark = pytest.mark.django_db

ENTRIES = """
    SELECT actor_kind, actor_name, action, object_type, object_id, object_name, host(address), outcome, after
      FROM tokens_auditentry ORDER BY at
"""


def record(database: Database) -> tuple[str, str]:
    """Record as version 0.1.0 did; return the ids of a connection and of the person of the admin's log."""
    with psycopg.connect(**database.parameters) as old:
        [[connection_id]] = old.execute(
            "SELECT id::text FROM tokens_connection ORDER BY id LIMIT 1"
        ).fetchall()
        [[user_id]] = old.execute("SELECT id FROM auth_user WHERE username = 'viewer'").fetchall()
        old.execute(
            "INSERT INTO tokens_accesstokenrequest (id, connection_id, user_id, remote_addr, outcome, requested_at)"
            " SELECT gen_random_uuid(), %s, id, '192.0.2.7', outcome, now() - interval '3 hours' + pause"
            " FROM auth_user, (VALUES ('given', interval '0 min'), ('unavailable', '1 min'), ('refused', '2 min'))"
            " given (outcome, pause) WHERE username = 'administrator'",
            [connection_id],
        )
        old.execute(
            "INSERT INTO django_admin_log"
            " (action_time, object_id, object_repr, action_flag, change_message, content_type_id, user_id)"
            " SELECT now() - interval '1 hour', %s, 'viewer', 2, '[{\"changed\": {}}]', kind.id, person.id"
            " FROM django_content_type kind, auth_user person"
            " WHERE kind.model = 'user' AND person.username = 'administrator'",
            [user_id],
        )
    return connection_id, str(user_id)


def test_access_tokens_and_the_log_of_the_admin_are_copied(old_database: Database) -> None:
    connection_id, user_id = record(old_database)
    old_database.migrate()
    logged = {"admin_log": '[{"changed": {}}]'}
    asked = ("person", "administrator", "access_token.hand_out", "connection", connection_id, "", "192.0.2.7")
    assert old_database.fetch(ENTRIES) == [
        (*asked, "done", None),
        (*asked, "failed", None),
        (*asked, "refused", None),
        ("person", "administrator", "person.update", "person", user_id, "viewer", None, "done", logged),
    ]
    teams = old_database.fetch("SELECT DISTINCT team_name FROM tokens_auditentry WHERE team_id IS NOT NULL")
    assert len(teams) == 1
    assert old_database.fetch("SELECT count(*) FROM tokens_accesstokenrequest") == [(0,)]
    # They can be checked as all other entries can.
    url = urlsplit(environment()["DATABASE_URL"])
    address = urlunsplit(url._replace(path=f"/{old_database.name}"))
    done = run("verify_audit", DATABASE_URL=address, TOKEN_ENCRYPTION_KEYS=DUMP_KEY)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("4:")
