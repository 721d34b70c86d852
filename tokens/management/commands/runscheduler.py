import signal
from typing import Any

from tokens.processes.commands import OperatorCommand
from tokens.processes.scheduler import Scheduler


class Command(OperatorCommand):
    help = "Run a scheduler, which queues the tasks that are due. Any number may run; one leads. Ends on SIGTERM."

    def handle(self, *args: Any, **options: Any) -> None:
        scheduler = Scheduler()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: scheduler.stop())
        scheduler.run()
