import signal
from typing import Any

from tokens.processes.commands import OperatorCommand, require_sessions
from tokens.processes.ending import end_in_time
from tokens.processes.scheduler import Scheduler


class Command(OperatorCommand):
    help = "Run a scheduler, which queues the tasks that are due. Any number may run; one leads. Ends on SIGTERM."
    is_lasting = True

    def handle(self, *args: Any, **options: Any) -> None:
        require_sessions()
        scheduler = Scheduler()

        def stop(*_: object) -> None:
            scheduler.stop()
            end_in_time()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        scheduler.run()
