import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0013_enforce_constraints")]

    operations = [
        migrations.AddField(
            "account",
            "unread_regions",
            django.contrib.postgres.fields.ArrayField(
                models.CharField(
                    choices=[("NA", "North America"), ("EU", "Europe"), ("FE", "Far East")], max_length=2
                ),
                blank=True,
                db_default=[],
                default=list,
                editable=False,
            ),
        ),
        migrations.AddIndex(
            "account",
            models.Index(
                condition=~models.Q(unread_regions=[]), fields=["connection"], name="account_unread"
            ),
        ),
    ]
