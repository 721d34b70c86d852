import socket
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error
from psycopg_pool import PoolTimeout

from amazon_accounts.postgresql.outages import OUTAGES
from tokens.models import Heartbeat
from tokens.processes.heartbeats import SILENCE, find_alive


class Command(BaseCommand):
    help = (
        "Exit 0 while a worker or scheduler of this host writes its heartbeat, else 1: the liveness probe of a container. "
        "While the database does not answer nothing is known, and no restart would help, so the exit is 0 as well."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", choices=[str(kind) for kind in Heartbeat.Kind])

    def handle(self, *args: Any, kind: str, **options: Any) -> None:
        try:
            with OUTAGES.unwatched():
                is_alive = find_alive().filter(kind=kind, host=socket.gethostname()[:255]).exists()
        except (Error, PoolTimeout):
            self.stdout.write("The database does not answer, so nothing is known.")
            return
        if not is_alive:
            raise CommandError(
                f"No {kind} of this host has written for {SILENCE.total_seconds():.0f} seconds."
            )
        self.stdout.write(f"A {kind} of this host is alive.")
