"""Make the audit trail, its chain, and the triggers that refuse to change either."""

from pathlib import Path

import django.db.models.functions.datetime
import uuid_utils.compat
from django.db import migrations, models

SQL = Path(__file__).parents[1] / "people" / "audit" / "sql"
FILES = {
    "functions/tokens_refuse_audit_change.sql": "DROP FUNCTION tokens_refuse_audit_change",
    "functions/tokens_link_audit_entries.sql": "DROP FUNCTION tokens_link_audit_entries",
    "triggers/audit_entry_stays.sql": "DROP TRIGGER audit_entry_stays ON tokens_auditentry",
    "triggers/audit_link_stays.sql": "DROP TRIGGER audit_link_stays ON tokens_auditlink",
    "triggers/audit_entries_stay.sql": "DROP TRIGGER audit_entries_stay ON tokens_auditentry",
    "triggers/audit_links_stay.sql": "DROP TRIGGER audit_links_stay ON tokens_auditlink",
    "triggers/audit_entry_is_linked.sql": "DROP TRIGGER audit_entry_is_linked ON tokens_auditentry",
}


class Migration(migrations.Migration):
    dependencies = [
        ("tokens", "0022_team_required"),
    ]

    operations = [
        migrations.CreateModel(
            name="AuditKey",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("made_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("sealed", models.TextField(editable=False)),
            ],
        ),
        migrations.CreateModel(
            name="AuditCheckpoint",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("number", models.BigIntegerField()),
                ("digest", models.BinaryField()),
                ("key_id", models.UUIDField()),
                ("seal", models.BinaryField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="audit_has_one_checkpoint")
                ],
            },
        ),
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "actor_kind",
                    models.CharField(
                        choices=[
                            ("person", "Person"),
                            ("key", "API key"),
                            ("command", "Command"),
                            ("system", "the console itself"),
                            ("nobody", "nobody who is signed in"),
                        ],
                        max_length=16,
                    ),
                ),
                ("actor_id", models.BigIntegerField(blank=True, null=True)),
                ("actor_name", models.CharField(blank=True, default="", max_length=200)),
                ("key_id", models.CharField(blank=True, default="", max_length=64)),
                ("key_name", models.CharField(blank=True, default="", max_length=200)),
                ("action", models.CharField(max_length=64)),
                ("object_type", models.CharField(blank=True, default="", max_length=64)),
                ("object_id", models.CharField(blank=True, default="", max_length=200)),
                ("object_name", models.CharField(blank=True, default="", max_length=200)),
                ("team_id", models.UUIDField(blank=True, null=True)),
                ("team_name", models.CharField(blank=True, default="", max_length=200)),
                ("address", models.GenericIPAddressField(blank=True, null=True)),
                ("request_id", models.CharField(blank=True, default="", max_length=64)),
                (
                    "outcome",
                    models.CharField(
                        choices=[("done", "Done"), ("refused", "Refused"), ("failed", "Failed")],
                        default="done",
                        max_length=16,
                    ),
                ),
                ("before", models.JSONField(blank=True, null=True)),
                ("after", models.JSONField(blank=True, null=True)),
            ],
            options={
                "verbose_name_plural": "audit entries",
                "ordering": ["-at", "-id"],
                "indexes": [
                    models.Index(fields=["-at", "-id"], name="audit_by_time"),
                    models.Index(fields=["action", "-at", "-id"], name="audit_by_action"),
                    models.Index(fields=["actor_name", "-at", "-id"], name="audit_by_actor"),
                    models.Index(fields=["object_id", "-at", "-id"], name="audit_by_object"),
                    models.Index(fields=["team_id", "-at", "-id"], name="audit_by_team"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("actor_kind__in", ["person", "key", "command", "system", "nobody"])
                        ),
                        name="audit_actor_kind_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("outcome__in", ["done", "refused", "failed"])),
                        name="audit_outcome_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("action__regex", "^[a-z_]+\\.[a-z_]+$")),
                        name="audit_action_is_an_object_and_a_verb",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="AuditLink",
            fields=[
                ("entry_id", models.UUIDField(primary_key=True, serialize=False)),
                ("number", models.BigIntegerField(null=True, unique=True)),
                ("digest", models.BinaryField(null=True)),
                ("key_id", models.UUIDField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("number", None)), fields=["entry_id"], name="audit_link_waiting"
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("digest", None), ("key_id", None), ("number", None)),
                            models.Q(("digest__isnull", False), ("key_id__isnull", False), ("number__gt", 0)),
                            _connector="OR",
                        ),
                        name="audit_link_waits_or_has_its_place",
                    )
                ],
            },
        ),
        *(migrations.RunSQL((SQL / file).read_text(encoding="utf-8"), undo) for file, undo in FILES.items()),
    ]
