from django.db import migrations, models

# The table of Django's cache, as `createcachetable` makes it, and unlogged like the pace of the sign-ins: after a
# crash of the database both start empty, and neither needs a write to the log of the database.
CREATE_CACHE = """
CREATE UNLOGGED TABLE IF NOT EXISTS cache_entries (
    cache_key varchar(255) PRIMARY KEY,
    value text NOT NULL,
    expires timestamp with time zone NOT NULL
);
CREATE INDEX IF NOT EXISTS cache_entries_expires ON cache_entries (expires);
"""


class Migration(migrations.Migration):
    dependencies = [("tokens", "0008_token_valid_after")]

    operations = [
        migrations.RunSQL(CREATE_CACHE, "DROP TABLE cache_entries"),
        migrations.CreateModel(
            name="SignInPace",
            fields=[
                ("key", models.TextField(primary_key=True, serialize=False)),
                ("next_at", models.DateTimeField()),
                ("pause", models.DurationField()),
            ],
            options={"verbose_name": "pace of a sign-in"},
        ),
        migrations.RunSQL(
            "ALTER TABLE tokens_signinpace SET UNLOGGED", "ALTER TABLE tokens_signinpace SET LOGGED"
        ),
    ]
