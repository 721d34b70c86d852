"""Indexes for the figures of the overview."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0021_health_reason_indexes")]

    operations = [
        migrations.AddIndex(
            model_name="account",
            index=models.Index(
                fields=["status", "account_type", "standing", "inactive_reason"], name="account_figures"
            ),
        ),
        # The new index begins with the columns of this one.
        migrations.RemoveIndex(model_name="account", name="account_status_type"),
        migrations.AddIndex(
            model_name="profile",
            index=models.Index(
                condition=models.Q(("billing_refusals", {}), _negated=True),
                fields=["account"],
                name="profile_refused",
            ),
        ),
    ]
