"""The end of a process that was told to stop: it comes in time, whatever the database does."""

import faulthandler
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Final

logger = logging.getLogger(__name__)

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
# The supervisor of `make run` kills a process after five seconds.
PATIENCE_SECONDS: Final = 4.4
LAST_SECONDS: Final = 4.8


def stop_on_signals(stop: Callable[[], object]) -> None:
    """Call `stop` at the first SIGTERM or SIGINT, and end the process when it has not ended by itself in time.

    `stop` is called in a thread of its own: the main thread may be waiting for a silent database, or for a full disk.
    Must be called in the main thread.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    # Python's handlers run in the main thread. The number of a signal is written at once, whatever that thread does.
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in SIGNALS:
        signal.signal(number, _leave_to_thread)
    threading.Thread(target=_wait, args=(reading, stop), name="signals", daemon=True).start()


def _leave_to_thread(_number: int, _frame: FrameType | None) -> None:
    # Without a handler the process would end at once.
    pass


def _wait(reading: int, stop: Callable[[], object]) -> None:
    while os.read(reading, 1)[0] not in SIGNALS:
        pass
    # Needs no thread of Python's: those do nothing any more when the interpreter hangs at its end. What a process was
    # doing is fenced.
    faulthandler.dump_traceback_later(LAST_SECONDS, exit=True, file=sys.__stderr__ or 2)
    stop()
    time.sleep(PATIENCE_SECONDS)
    logger.warning("The process ends without waiting for what still runs.")
    logging.shutdown()
    os._exit(0)
