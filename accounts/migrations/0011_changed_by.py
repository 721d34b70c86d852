"""Who made a change: named by the transaction, as the run is, and noted by the column's own default."""

from pathlib import Path

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# The default of the new column needs the function, so it is installed here too.
CURRENT_PERSON = (Path(__file__).parents[1] / "models/sql/functions/accounts_current_person.sql").read_text()


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0010_appeared"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL(CURRENT_PERSON, "DROP FUNCTION accounts_current_person();"),
        migrations.AddField(
            model_name="accountchange",
            name="changed_by",
            field=models.ForeignKey(
                blank=True,
                db_default=models.Func(function="accounts_current_person"),
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
    ]
