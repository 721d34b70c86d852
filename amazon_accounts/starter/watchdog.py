"""The watchdog: ends the supervisor's programs when the supervisor itself is killed.

`python -m amazon_accounts.starter.watchdog` reads process groups from its standard input: `+123` when one
begins, `-123` when it is gone. The end of that input is the death of the supervisor; whatever group is left
then is told to end, and killed if it does not.
"""

import contextlib
import os
import signal
import sys
import time

PATIENCE_SECONDS = 5


def signalled(groups: set[int], number: int) -> set[int]:
    """Signal the groups; those of them that exist."""
    living = set()
    for group in groups:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, number)
            living.add(group)
    return living


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        if line.startswith("+"):
            groups.add(int(line))
        else:
            groups.discard(-int(line))
    groups = signalled(groups, signal.SIGTERM)
    end = time.monotonic() + PATIENCE_SECONDS
    while groups and time.monotonic() < end:
        time.sleep(0.1)
        groups = signalled(groups, 0)
    signalled(groups, signal.SIGKILL)


if __name__ == "__main__":
    main()
