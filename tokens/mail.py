"""Mail that a task sends. A task for each mail: one that fails is tried again alone, and holds up no page."""

import logging
from datetime import timedelta
from typing import Any, Final

from django.core.mail import EmailMessage
from django.db import connection
from procrastinate.tasks import Task

from amazon_accounts.postgresql.clock import database_now
from tokens.queues import defer_once

logger = logging.getLogger(__name__)

# A person waits for the mail.
PRIORITY: Final = 20
MAX_TRIES: Final = 5


def send_or_try_again(
    message: EmailMessage, task: Task[Any, Any, Any], failures: int, **arguments: Any
) -> bool:
    """Send the mail, or queue the task again with one more failure; return whether the mail was sent.

    `failures` counts what the mail server refused, because the queue's own number of attempts also has the workers
    that the job has lost. Raises OSError at the last try.
    """
    # No connection of the pool is held while a mail server takes its time.
    connection.close()
    try:
        message.send()
    except OSError as error:
        if failures + 1 == MAX_TRIES:
            raise
        logger.warning("A mail of the task %s is tried again. %s", task.name, error)
        # With a lock, because a worker that dies right after this leaves a job that comes here once more.
        lock = ":".join([task.name, *map(str, arguments.values()), str(failures + 1)])
        defer_once(
            task,
            lock,
            priority=PRIORITY,
            at=database_now() + timedelta(seconds=4 ** (failures + 1)),
            **arguments,
            failures=failures + 1,
        )
        return False
    return True
