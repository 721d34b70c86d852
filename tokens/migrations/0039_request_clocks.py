"""Count the requests of a key in the database, for all web processes together.

The table is unlogged: after a crash of the database it starts empty, and a request writes nothing to its log.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tokens", "0038_connections_at_scale")]

    operations = [
        migrations.CreateModel(
            name="RequestClock",
            fields=[
                ("key", models.TextField(primary_key=True, serialize=False)),
                ("ahead_until", models.DateTimeField()),
            ],
            options={"verbose_name": "clock of requests"},
        ),
        migrations.RunSQL(
            "ALTER TABLE tokens_requestclock SET UNLOGGED", "ALTER TABLE tokens_requestclock SET LOGGED"
        ),
    ]
