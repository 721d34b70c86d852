"""Keep what labels were before an update, and let a batch undo it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0035_order_of_changes")]

    operations = [
        migrations.AddField(
            model_name="batchitem",
            name="labels_before",
            field=models.JSONField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="batchoperation",
            name="undoes",
            field=models.UUIDField(editable=False, null=True),
        ),
        migrations.RemoveConstraint(
            model_name="batchoperation",
            name="batch_operation_is_known",
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
                    ("undo", "Undo"),
                    ("refresh", "Refresh"),
                    ("pause", "Pause"),
                    ("resume", "Resume"),
                    ("move", "Move"),
                    ("send_renewal_links", "send renewal links"),
                ],
                max_length=20,
            ),
        ),
        migrations.AddConstraint(
            model_name="batchoperation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("operation__in", ["sync", "disconnect", "reconnect", "update", "undo"]),
                        ("subject", "accounts"),
                    ),
                    models.Q(
                        (
                            "operation__in",
                            [
                                *("sync", "refresh", "pause", "resume", "disconnect", "move", "update"),
                                "send_renewal_links",
                            ],
                        ),
                        ("subject", "connections"),
                    ),
                    _connector="OR",
                ),
                name="batch_operation_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="batchoperation",
            constraint=models.UniqueConstraint(fields=("undoes",), name="one_undo_per_batch"),
        ),
        migrations.AddConstraint(
            model_name="batchoperation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("operation", "undo"), ("undoes__isnull", False)),
                    models.Q(
                        models.Q(("operation", "undo"), _negated=True),
                        ("undoes__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="undo_names_what_it_undoes",
            ),
        ),
    ]
