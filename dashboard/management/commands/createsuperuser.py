"""Django's command, which with `--noinput` also reads the password from DJANGO_SUPERUSER_PASSWORD_FILE."""

import os
from typing import Any

from django.contrib.auth.management.commands import createsuperuser
from django.contrib.auth.models import User

from amazon_accounts.configuration.environment import env_secret
from tokens.people.audit import Action, record_audit
from tokens.people.audit.origin import Origin, come_from
from tokens.permissions import SYSTEM


class Command(createsuperuser.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        # Django reads the variable. Other processes do not see what this process adds to its environment.
        if not options["interactive"] and (password := env_secret("DJANGO_SUPERUSER_PASSWORD")):
            os.environ["DJANGO_SUPERUSER_PASSWORD"] = password
        # No transaction waits for what somebody types.
        super().handle(*args, **options)
        with come_from(Origin(command="manage.py createsuperuser")):
            record_audit(SYSTEM, Action.PERSON_MAKE, User.objects.latest("pk"), after={"is_superuser": True})
