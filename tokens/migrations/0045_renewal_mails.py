"""Mails with the renewal links of one person."""

import django.db.models.deletion
import django.db.models.functions.datetime
import uuid_utils.compat
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tokens", "0044_connection_periods"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="connectlink",
            name="mailing",
            field=models.UUIDField(blank=True, editable=False, null=True),
        ),
        migrations.CreateModel(
            name="RenewalMail",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("address_digest", models.CharField(max_length=64)),
                ("day", models.DateField()),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("started_at", models.DateTimeField(null=True)),
                ("mailed_at", models.DateTimeField(null=True)),
                ("failed_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ["-day", "id"],
                "indexes": [models.Index(fields=["day"], name="renewal_mail_by_day")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("address_digest", "day"), name="one_renewal_mail_per_address_and_day"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("mailed_at", None),
                            models.Q(("failed_at", None), ("started_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="renewal_mail_is_started_before_it_is_sent",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("mailed_at", None), ("mailed_at__gte", models.F("started_at")), _connector="OR"
                        ),
                        name="renewal_mail_is_sent_after_it_was_started",
                    ),
                ],
            },
        ),
        migrations.AddField(
            model_name="connectlink",
            name="mail",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                help_text="With which it was sent to its contact",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="links",
                to="tokens.renewalmail",
            ),
        ),
        migrations.AddIndex(
            model_name="connectlink",
            index=models.Index(
                condition=models.Q(("mailing__isnull", False)),
                fields=["mailing"],
                name="connect_link_of_mailing",
            ),
        ),
        migrations.AddConstraint(
            model_name="connectlink",
            constraint=models.UniqueConstraint(
                condition=models.Q(("mail__isnull", False)),
                fields=("mail", "connection"),
                name="one_link_per_renewal_mail_and_connection",
            ),
        ),
    ]
