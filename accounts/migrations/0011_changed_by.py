"""Who made a change: named by the transaction, as the run is, and noted by the column's own default."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# The default of the new column needs the function. 0012_functions installs the function in its current form.
CURRENT_PERSON = """
CREATE FUNCTION accounts_current_person() RETURNS integer STABLE LANGUAGE sql AS $$
    SELECT nullif(current_setting('amazon_accounts.changed_by', true), '')::integer
$$;
"""


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
