"""Empty: 0012_functions installs the function that this migration changed."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("accounts", "0009_status_and_type")]

    operations = []
