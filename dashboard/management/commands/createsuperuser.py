"""Django's command, which with `--noinput` also reads the password from DJANGO_SUPERUSER_PASSWORD_FILE."""

import os
from typing import Any

from django.contrib.auth.management.commands import createsuperuser

from amazon_accounts.configuration.environment import env_secret


class Command(createsuperuser.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        # Django reads the variable. Other processes do not see what this process adds to its environment.
        if not options["interactive"] and (password := env_secret("DJANGO_SUPERUSER_PASSWORD")):
            os.environ["DJANGO_SUPERUSER_PASSWORD"] = password
        super().handle(*args, **options)
