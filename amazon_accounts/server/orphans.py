"""A server process whose main process was killed: it ends, so that the next one can have the port."""

import logging
import multiprocessing
import os
import signal
import threading
import time

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
# As long as granian's main process waits for its processes.
PATIENCE_SECONDS = 3.0


def end_with_main_process() -> None:
    """End this process soon after granian's main process has ended, however that ended."""
    if multiprocessing.parent_process() is not None:
        threading.Thread(target=_watch, args=[os.getppid()], name="main process", daemon=True).start()


def _watch(main_process: int) -> None:
    # The kernel gives an orphan to another process. A signal of the kernel at the parent's death exists only on Linux.
    while os.getppid() == main_process:
        time.sleep(POLL_SECONDS)
    logger.warning("The main process of the server was killed; this process ends.")
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(PATIENCE_SECONDS)
    logging.shutdown()
    os._exit(1)
