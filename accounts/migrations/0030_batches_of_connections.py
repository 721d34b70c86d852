"""Let batches be of connections, with one result for each connection."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0029_availability"),
        ("tokens", "0038_connections_at_scale"),
    ]

    operations = [
        migrations.CreateModel(
            name="ConnectionBatchItem",
            fields=[
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("running", "Running"),
                            ("succeeded", "Succeeded"),
                            ("failed", "Failed"),
                            ("skipped", "Skipped"),
                        ],
                        default="waiting",
                        max_length=12,
                    ),
                ),
                ("message", models.TextField(blank=True, default="")),
                ("request_number", models.BigIntegerField(editable=False, null=True)),
                (
                    "batch",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="connection_items",
                        to="accounts.batchoperation",
                    ),
                ),
                (
                    "connection",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tokens.connection",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.syncrun",
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tokens.team",
                    ),
                ),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "batch_id",
                        "connection_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
            ],
            options={
                "ordering": ["connection_id"],
            },
        ),
        migrations.RemoveConstraint(
            model_name="batchoperation",
            name="batch_operation_is_known",
        ),
        migrations.AddField(
            model_name="batchoperation",
            name="asked_by_key",
            field=models.UUIDField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="batchoperation",
            name="subject",
            field=models.CharField(
                choices=[("accounts", "Accounts"), ("connections", "Connections")],
                db_default="accounts",
                default="accounts",
                max_length=12,
            ),
        ),
        migrations.AlterField(
            model_name="batchoperation",
            name="filter",
            field=models.JSONField(
                blank=True, help_text="The filter that chose the rows, if one did", null=True
            ),
        ),
        migrations.AlterField(
            model_name="batchoperation",
            name="operation",
            field=models.CharField(
                choices=[
                    ("sync", "Sync"),
                    ("disconnect", "Disconnect"),
                    ("reconnect", "Reconnect"),
                    ("update", "Update"),
                    ("refresh", "Refresh"),
                    ("pause", "Pause"),
                    ("resume", "Resume"),
                    ("move", "Move"),
                ],
                max_length=12,
            ),
        ),
        migrations.AddConstraint(
            model_name="batchoperation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("operation__in", ["sync", "disconnect", "reconnect", "update"]),
                        ("subject", "accounts"),
                    ),
                    models.Q(
                        (
                            "operation__in",
                            ["sync", "refresh", "pause", "resume", "disconnect", "move", "update"],
                        ),
                        ("subject", "connections"),
                    ),
                    _connector="OR",
                ),
                name="batch_operation_is_known",
            ),
        ),
        migrations.AddIndex(
            model_name="connectionbatchitem",
            index=models.Index(
                condition=models.Q(("run__isnull", False), ("state__in", ["waiting", "running"])),
                fields=["run"],
                name="connection_item_of_sync",
            ),
        ),
        migrations.AddConstraint(
            model_name="connectionbatchitem",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["waiting", "running", "succeeded", "failed", "skipped"])),
                name="connection_item_state_is_known",
            ),
        ),
    ]
