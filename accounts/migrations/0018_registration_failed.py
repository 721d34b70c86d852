"""Call a failed registration what it is: Amazon's DISABLED was stored as suspended, and unknown words as pending."""

from django.db import migrations, models

# Amazon changed nothing, so nothing is recorded as a change.
CORRECT_STATUSES = """
ALTER TABLE user_accounts DISABLE TRIGGER USER;
UPDATE user_accounts
   SET status = 'inactive', inactive_reason = 'registration_failed'
 WHERE inactive_reason IS NULL AND amazon_status IN ('DISABLED', 'ARCHIVED', 'REJECTED');
UPDATE user_accounts SET status = 'active' WHERE inactive_reason IS NULL AND amazon_status = 'APPROVED';
UPDATE user_accounts SET status = 'suspended' WHERE inactive_reason IS NULL AND amazon_status = 'SUSPENDED';
UPDATE user_accounts
   SET status = 'unknown'
 WHERE inactive_reason IS NULL AND status = 'pending'
   AND amazon_status NOT IN ('PENDING', 'PARTIALLY_CREATED', 'REGISTRATION_IN_PROGRESS');
ALTER TABLE user_accounts ENABLE TRIGGER USER;
"""

# The version before this one knows neither the reason nor the status.
RESTORE_STATUSES = """
ALTER TABLE user_accounts DISABLE TRIGGER USER;
UPDATE user_accounts
   SET status = CASE WHEN amazon_status = 'DISABLED' THEN 'suspended' ELSE 'pending' END, inactive_reason = NULL
 WHERE inactive_reason = 'registration_failed' OR status = 'unknown';
ALTER TABLE user_accounts ENABLE TRIGGER USER;
"""

# A table whose changed rows wait for the check of their foreign keys cannot be altered.
CHECK_FOREIGN_KEYS = "SET CONSTRAINTS ALL IMMEDIATE;"


class Migration(migrations.Migration):
    dependencies = [("accounts", "0017_missed_readings")]

    operations = [
        migrations.AlterField(
            "account",
            "status",
            models.CharField(
                choices=[
                    ("active", "Active"),
                    ("suspended", "Suspended"),
                    ("pending", "Pending"),
                    ("inactive", "Inactive"),
                    ("unknown", "Unknown"),
                ],
                max_length=12,
            ),
        ),
        migrations.AlterField(
            "account",
            "inactive_reason",
            models.CharField(
                blank=True,
                choices=[
                    ("disconnected", "disconnected here"),
                    ("not_visible", "no longer visible at Amazon"),
                    ("registration_failed", "registration failed"),
                ],
                max_length=20,
                null=True,
            ),
        ),
        migrations.RemoveConstraint("account", "account_status_is_known"),
        migrations.RemoveConstraint("account", "inactive_account_has_a_reason"),
        migrations.RunSQL(CORRECT_STATUSES, RESTORE_STATUSES),
        migrations.RunSQL(CHECK_FOREIGN_KEYS, CHECK_FOREIGN_KEYS),
        migrations.AddConstraint(
            "account",
            models.CheckConstraint(
                condition=models.Q(status__in=["active", "suspended", "pending", "inactive", "unknown"]),
                name="account_status_is_known",
            ),
        ),
        migrations.AddConstraint(
            "account",
            models.CheckConstraint(
                condition=models.Q(
                    status="inactive",
                    inactive_reason__isnull=False,
                    inactive_reason__in=["disconnected", "not_visible", "registration_failed"],
                )
                | (~models.Q(status="inactive") & models.Q(inactive_reason__isnull=True)),
                name="inactive_account_has_a_reason",
            ),
        ),
    ]
