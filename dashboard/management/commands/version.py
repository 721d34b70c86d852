from typing import Any

from django.core.management.base import BaseCommand

from amazon_accounts import __version__


class Command(BaseCommand):
    help = "Print the version of Amazon Accounts."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(__version__)
