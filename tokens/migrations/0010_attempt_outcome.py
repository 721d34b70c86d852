import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tokens", "0009_sign_in"),
    ]

    operations = [
        migrations.AddField(
            model_name="authorizationattempt",
            name="used_at",
            field=models.DateTimeField(blank=True, help_text="When the person came back", null=True),
        ),
        migrations.AddField(
            model_name="authorizationattempt",
            name="connected",
            field=models.ForeignKey(
                help_text="Which one has the grant",
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="tokens.connection",
            ),
        ),
        migrations.AddField(
            model_name="authorizationattempt",
            name="refusal",
            field=models.TextField(
                blank=True, db_default="", default="", help_text="Why nothing was connected"
            ),
        ),
    ]
