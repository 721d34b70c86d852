"""The end of a process that was told to stop: it comes in time, whatever the database does."""

import logging
import os
import threading

logger = logging.getLogger(__name__)

# The supervisor of `make run` kills a process after five seconds.
PATIENCE_SECONDS = 4.5


def end_in_time(seconds: float = PATIENCE_SECONDS) -> None:
    """Let the process end by itself, or end it when this time has passed."""
    # A thread that waits for a silent database would keep the process alive. What it was doing is fenced.
    timer = threading.Timer(seconds, _end)
    timer.daemon = True
    timer.start()


def _end() -> None:
    logger.warning("The process ends without waiting for what still runs.")
    logging.shutdown()
    os._exit(0)
