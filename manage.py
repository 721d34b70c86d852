#!/usr/bin/env python
"""Runs the commands of the project. In local mode a command that needs the database starts the embedded PostgreSQL."""

import os
import sys

import django
from django.core.exceptions import ImproperlyConfigured
from django.core.management import ManagementUtility, execute_from_command_line
from django.db import InterfaceError, OperationalError

from amazon_accounts.starter.database import WAIT_SECONDS, require_database, use_local_database
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
# A probe has an answer for a database that is away.
NEED_NO_ANSWER = {"probe"}
# They may be started together with the database.
WAIT_FOR_DATABASE = {"runscheduler", "runworker"}


def needs_database(arguments: list[str]) -> bool:
    if not arguments or {"-h", "--help", "--version"} & set(arguments):
        return False
    return arguments[0] not in NEED_NO_DATABASE | NEED_NO_ANSWER or "--database" in arguments


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "amazon_accounts.settings")
    sys.excepthook = show_uncaught_error
    try:
        if needs_database(sys.argv[1:]):
            require_database(wait_seconds=WAIT_SECONDS if sys.argv[1] in WAIT_FOR_DATABASE else 0)
        elif sys.argv[1:2] == ["probe"]:
            use_local_database()
        if sys.argv[1:2] == ["version"]:
            # Django would tell its own.
            django.setup()
            ManagementUtility(sys.argv).fetch_command("version").run_from_argv(sys.argv)
        else:
            execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"Error: {error}")
    except (InterfaceError, OperationalError) as error:
        sys.exit(f"Error: the database: {escape_line(' '.join(str(error).split()))}")
