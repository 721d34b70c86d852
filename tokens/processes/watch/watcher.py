"""The thread that looks for failures, in each worker, scheduler and web process.

So each kind of process tells of the death of the others, and one look is made at a time, however many processes run.
"""

import logging
import random
import threading
from typing import Final

from django.conf import settings
from django.db import connections

from amazon_accounts.postgresql.outages import OUTAGES
from tokens.processes.watch.call import call_while_all_is_well
from tokens.processes.watch.full_disk import DiskWatch
from tokens.processes.watch.looking import look, take_look

logger = logging.getLogger(__name__)

MAX_PAUSE_SECONDS: Final = 20.0


class Watcher:
    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._disk = DiskWatch()

    def start(self) -> None:
        threading.Thread(target=self.run, name="watcher", daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        """Look again and again until the watcher is stopped."""
        pause = min(MAX_PAUSE_SECONDS, settings.ALERT_AFTER_SECONDS / 3)
        # Processes that start together look at different times. So one that dies after it took a look is soon followed.
        while not self._stopping.wait(pause * random.uniform(0.75, 1.0)):
            self._look(pause)

    def _look(self, pause: float) -> None:
        try:
            if self._disk.look() and take_look(pause * 0.75):
                look()
                call_while_all_is_well()
        except Exception as error:  # whatever is wrong, the next look is made
            if OUTAGES.note(error) is None:
                logger.exception("The watcher could not look for failures.")
        finally:
            connections.close_all()
