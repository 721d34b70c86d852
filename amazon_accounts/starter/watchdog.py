"""The watchdog: ends the supervisor's programs when the supervisor itself is killed.

`python -m amazon_accounts.starter.watchdog` reads process groups from its standard input: `+123` when a group
starts, `-123` when it has ended. The input ends when the supervisor dies. Then the watchdog sends SIGTERM to
the remaining groups, and SIGKILL to groups that do not end.
"""

import contextlib
import os
import signal
import sys
import time

PATIENCE_SECONDS = 5


def send_signal(groups: set[int], number: int) -> set[int]:
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
    groups = send_signal(groups, signal.SIGTERM)
    end = time.monotonic() + PATIENCE_SECONDS
    while groups and time.monotonic() < end:
        time.sleep(0.1)
        groups = send_signal(groups, 0)
    send_signal(groups, signal.SIGKILL)


if __name__ == "__main__":
    main()
