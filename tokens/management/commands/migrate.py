from typing import Any

from django.core.management.commands import migrate

from amazon_accounts.postgresql.deadlines import no_deadlines


class Command(migrate.Command):
    def execute(self, *args: Any, **options: Any) -> str | None:
        # A migration of a large table may take minutes.
        with no_deadlines():
            return super().execute(*args, **options)
