from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import CommandError, CommandParser
from django.db import transaction
from knox.models import AuthToken
from knox.settings import knox_settings

from amazon_accounts.postgresql.clock import database_now
from tokens.processes.commands import OperatorCommand

MAX_DAYS = 3650


class Command(OperatorCommand):
    help = "Make an API token for a person and print it. It is shown only now, because only its digest is stored."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", metavar="USER", help="the user name")
        days = knox_settings.TOKEN_TTL.days
        parser.add_argument(
            "--days", type=int, default=days, metavar="N", help=f"days until it expires ({days})"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not 1 <= options["days"] <= MAX_DAYS:
            raise CommandError(f"--days must be from 1 to {MAX_DAYS}.")
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no user “{options['user']}”.")
        if not (user.is_active and user.is_staff):
            raise CommandError(f"“{user}” may not sign in.")
        life = timedelta(days=options["days"])
        with transaction.atomic():
            made, token = AuthToken.objects.create(user, life)
            # knox has dated it by the clock of this process.
            made.created = database_now()
            made.expiry = made.created + life
            made.save(update_fields=["created", "expiry"])
        self.stderr.write(f"Valid until {made.expiry:%Y-%m-%d %H:%M} UTC. It is shown only now.")
        self.stdout.write(token)
