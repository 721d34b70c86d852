from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tokens", "0007_unread_lists"),
    ]

    operations = [
        # The column keeps its name, so that the database and the statements in `sql/` stay as they are.
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameField("tokenrefresh", "left_fresh", "token_valid_after"),
                migrations.AlterField(
                    model_name="tokenrefresh",
                    name="token_valid_after",
                    field=models.BooleanField(
                        db_column="left_fresh",
                        help_text="Whether the connection had a valid token when the refresh ended",
                        null=True,
                    ),
                ),
            ],
        ),
    ]
