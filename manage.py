#!/usr/bin/env python
"""Runs the commands of the project. In local mode a command that needs the database starts the embedded PostgreSQL."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import InterfaceError, OperationalError

from amazon_accounts.starter.database import WAIT_SECONDS, require_database
from amazon_accounts.visible_text import escape_line, show_uncaught_error

NEED_NO_DATABASE = {
    "check",
    "collectstatic",
    "compilemessages",
    "help",
    "makemessages",
    "spectacular",
    "version",
}
# They may be started together with the database.
WAIT_FOR_DATABASE = {"runscheduler", "runworker"}


def needs_database(arguments: list[str]) -> bool:
    if not arguments or {"-h", "--help", "--version"} & set(arguments):
        return False
    return arguments[0] not in NEED_NO_DATABASE or "--database" in arguments


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "amazon_accounts.settings")
    sys.excepthook = show_uncaught_error
    try:
        if needs_database(sys.argv[1:]):
            require_database(wait_seconds=WAIT_SECONDS if sys.argv[1] in WAIT_FOR_DATABASE else 0)
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"Error: {error}")
    except (InterfaceError, OperationalError) as error:
        sys.exit(f"Error: the database: {escape_line(' '.join(str(error).split()))}")
