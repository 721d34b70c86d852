from typing import Any

from django.core.management.base import CommandError, CommandParser

from tokens.processes.commands import OperatorCommand, require_sessions
from tokens.processes.worker import DEFAULT_CONCURRENCY, run_worker


class Command(OperatorCommand):
    help = "Run a worker: refreshes, syncs, batches and alerts happen here. Ends on SIGTERM."
    is_lasting = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--concurrency",
            type=int,
            default=DEFAULT_CONCURRENCY,
            help="how many tasks run at a time; tasks that refresh tokens have slots of their own",
        )

    def handle(self, *args: Any, concurrency: int, **options: Any) -> None:
        require_sessions()
        if concurrency < 1:
            raise CommandError("--concurrency must be at least 1.")
        run_worker(concurrency)
