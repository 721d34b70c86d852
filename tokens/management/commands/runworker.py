import asyncio
from typing import Any

from django.core.management.base import CommandError, CommandParser

from tokens.processes.commands import OperatorCommand
from tokens.processes.worker import DEFAULT_CONCURRENCY, run_worker


class Command(OperatorCommand):
    help = "Run a worker: refreshes, syncs, batches and alerts happen here. Ends on SIGTERM."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--concurrency",
            type=int,
            default=DEFAULT_CONCURRENCY,
            help="how many tasks run at a time; tasks that refresh tokens have slots of their own",
        )

    def handle(self, *args: Any, concurrency: int, **options: Any) -> None:
        if concurrency < 1:
            raise CommandError("--concurrency must be at least 1.")
        asyncio.run(run_worker(concurrency))
