"""Copy who got access tokens, and the log of the admin, into the audit trail.

The table of AccessTokenRequest stays in the database, empty, because processes of the version before still write to it
during an upgrade. A later version drops it. The admin keeps its own log too.
"""

from typing import Any

import django.db.models.deletion
from django.apps.registry import Apps
from django.conf import settings
from django.db import migrations, models

COPY_REQUESTS = """
    INSERT INTO tokens_auditentry (
        id, at, actor_kind, actor_id, actor_name, key_id, key_name, action, object_type, object_id, object_name,
        team_id, team_name, address, request_id, outcome, after
    )
    SELECT request.id, request.requested_at, 'person', request.user_id, left(person.username, 200), '', '',
           'access_token.hand_out', 'connection', request.connection_id::text, '', team.id, left(team.name, 200), request.remote_addr, '',
           CASE request.outcome WHEN 'given' THEN 'done' WHEN 'refused' THEN 'refused' ELSE 'failed' END, NULL
      FROM tokens_accesstokenrequest request
      JOIN auth_user person ON person.id = request.user_id
      JOIN tokens_connection connection ON connection.id = request.connection_id
      JOIN tokens_team team ON team.id = connection.team_id
"""
# The id of a key that django-rest-knox made is its digest, so it is left out.
COPY_ADMIN_LOG = """
    INSERT INTO tokens_auditentry (
        id, at, actor_kind, actor_id, actor_name, key_id, key_name, action, object_type, object_id, object_name,
        team_name, request_id, outcome, after
    )
    SELECT gen_random_uuid(), log.action_time, 'person', log.user_id, left(person.username, 200), '', '',
           named.type || CASE log.action_flag WHEN 1 THEN '.make' WHEN 2 THEN '.update' ELSE '.delete' END,
           named.type, CASE WHEN length(log.object_id) > 36 THEN '' ELSE coalesce(log.object_id, '') END,
           left(log.object_repr, 200), '', '', 'done',
           CASE log.change_message WHEN '' THEN NULL ELSE jsonb_build_object('admin_log', log.change_message) END
      FROM django_admin_log log
      JOIN auth_user person ON person.id = log.user_id
      LEFT JOIN django_content_type kind ON kind.id = log.content_type_id
     CROSS JOIN LATERAL (
           SELECT CASE kind.model WHEN 'user' THEN 'person' WHEN 'authtoken' THEN 'api_key' WHEN 'apikey' THEN 'api_key'
                  WHEN 'authenticator' THEN 'second_factor' ELSE coalesce(kind.model, 'unknown') END AS type
     ) named
"""


def copy_rows(_apps: Apps, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(COPY_REQUESTS)
        cursor.execute(COPY_ADMIN_LOG)
        cursor.execute("DELETE FROM tokens_accesstokenrequest")


class Migration(migrations.Migration):
    dependencies = [
        ("admin", "0003_logentry_add_action_flag_choices"),
        ("contenttypes", "0002_remove_content_type_name"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("tokens", "0023_audit_trail"),
    ]

    operations = [
        migrations.RunPython(copy_rows, migrations.RunPython.noop),
        # A person without any other history can be deleted.
        migrations.AlterField(
            model_name="accesstokenrequest",
            name="user",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.SeparateDatabaseAndState(state_operations=[migrations.DeleteModel("AccessTokenRequest")]),
    ]
