"""The watchdog: ends the supervisor's programs when the supervisor itself is killed.

`python -m amazon_accounts.starter.watchdog` reads process groups from its standard input: `+123` when one begins,
`-123` when it is gone. The end of that input is the death of the supervisor; whatever group is left then is told to
end, and killed if it does not.
"""

import contextlib
import os
import signal
import sys
import time

PATIENCE_SECONDS = 5


def signal_groups(groups: set[int], number: signal.Signals) -> None:
    for group in groups:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, number)


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        if line.startswith("+"):
            groups.add(int(line))
        else:
            groups.discard(-int(line))
    if groups:
        signal_groups(groups, signal.SIGTERM)
        time.sleep(PATIENCE_SECONDS)
        signal_groups(groups, signal.SIGKILL)


if __name__ == "__main__":
    main()
