"""Let batches of connections send renewal links."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0030_batches_of_connections")]

    operations = [
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
                        ("operation__in", ["sync", "disconnect", "reconnect", "update"]),
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
    ]
