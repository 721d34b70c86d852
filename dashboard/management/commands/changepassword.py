"""Django's command, which the audit trail has too."""

import getpass
from typing import Any

from django.contrib.auth.management.commands import changepassword
from django.contrib.auth.models import User

from tokens.people.audit import Action, record_audit
from tokens.people.audit.origin import Origin, come_from
from tokens.permissions import SYSTEM


class Command(changepassword.Command):
    def handle(self, *args: Any, **options: Any) -> str | None:
        # Django takes the name of the operating system's user if none is given.
        options["username"] = options["username"] or getpass.getuser()
        # No transaction waits for what somebody types.
        said = super().handle(*args, **options)
        with come_from(Origin(command="manage.py changepassword")):
            record_audit(SYSTEM, Action.PASSWORD_CHANGE, User.objects.get(username=options["username"]))
        return said
