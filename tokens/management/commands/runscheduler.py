from typing import Any

from tokens.processes.commands import OperatorCommand, require_sessions
from tokens.processes.ending import stop_on_signals
from tokens.processes.scheduler import Scheduler


class Command(OperatorCommand):
    help = "Run a scheduler, which queues the tasks that are due. Any number may run; one leads. Ends on SIGTERM."
    is_lasting = True

    def handle(self, *args: Any, **options: Any) -> None:
        require_sessions()
        scheduler = Scheduler()
        stop_on_signals(scheduler.stop)
        scheduler.run()
