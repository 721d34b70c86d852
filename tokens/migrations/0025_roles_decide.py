"""Roles in teams decide what people may do: the groups and permissions that did so before are deleted."""

from typing import Any

from django.db import migrations

GROUPS = ["Viewer", "Operator", "Administrator"]
CODENAMES = ["view_all_connections", "view_all_accounts"]


def delete_old_rights(apps: Any, schema_editor: Any) -> None:
    apps.get_model("auth", "Group").objects.filter(name__in=GROUPS).delete()
    apps.get_model("auth", "Permission").objects.filter(
        content_type__app_label__in=["tokens", "accounts"], codename__in=CODENAMES
    ).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("tokens", "0024_copy_into_audit_trail"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [
        migrations.RunPython(delete_old_rights, migrations.RunPython.noop),
        migrations.AlterModelOptions(
            name="connection",
            options={
                "ordering": ["label", "id"],
                "permissions": [
                    ("connect_amazon", "Can connect an Amazon login"),
                    ("refresh_connection", "Can refresh a connection's token"),
                    ("disconnect_connection", "Can disconnect a connection"),
                    ("use_access_token", "Can ask for a connection's access token"),
                ],
            },
        ),
    ]
