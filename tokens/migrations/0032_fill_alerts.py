"""Say which API key each alert is about, and copy who took the messages that are still tried."""

from django.db import migrations

NAME_KEYS = """
    UPDATE tokens_alert alert
       SET api_key_id = key.id
      FROM tokens_apikey key
     WHERE alert.kind = 'api_key_ending' AND alert.key = 'api_key_ending:' || key.id
"""
# Whoever took a message that is still tried does not get it again.
COPY_TAKEN = """
    INSERT INTO tokens_alertdelivery (id, message_id, recipient)
    SELECT gen_random_uuid(), taken.message_id, 'address:' || taken.digest
      FROM (
           SELECT DISTINCT message_id, unnest(taken_by) AS digest
             FROM tokens_alert
            WHERE next_try_at IS NOT NULL AND message_id IS NOT NULL
     ) taken
"""


class Migration(migrations.Migration):
    dependencies = [
        ("tokens", "0031_alerts_by_team"),
    ]

    operations = [
        migrations.RunSQL(NAME_KEYS, migrations.RunSQL.noop),
        migrations.RunSQL(COPY_TAKEN, migrations.RunSQL.noop),
    ]
