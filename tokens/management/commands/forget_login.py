from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from tokens.connect.forget import StillConnectedError, forget_login
from tokens.models import Connection
from tokens.permissions import SYSTEM
from tokens.processes.commands import OperatorCommand


class Command(OperatorCommand):
    help = (
        "Erase the name, e-mail and user id of a disconnected Amazon login, its label, and the names of the accounts "
        "that no other connection sees. The history stays without the names. This cannot be undone."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("connection", metavar="CONNECTION", type=UUID, help="the id of the connection")

    def handle(self, *args: Any, **options: Any) -> None:
        connection = Connection.objects.filter(pk=options["connection"]).first()
        if connection is None:
            raise CommandError(f"There is no connection {options['connection']}.")
        try:
            is_new = forget_login(SYSTEM, connection)
        except StillConnectedError as error:
            raise CommandError(str(error)) from error
        self.stdout.write("The login is forgotten." if is_new else "The login was forgotten before.")
