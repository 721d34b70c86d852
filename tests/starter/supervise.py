"""A supervisor for tests: each argument NAME=CODE is a program of Python code. It runs until SIGINT or SIGTERM.

Without the program `web` nothing works."""

import signal
import sys

from amazon_accounts.starter.log import Log
from amazon_accounts.starter.supervisor import Program, Supervisor


def main() -> int:
    programs = []
    for argument in sys.argv[1:]:
        name, _, code = argument.partition("=")
        programs.append(Program(name, [sys.executable, "-c", code], is_essential=name == "web"))
    supervisor = Supervisor(programs, Log([program.name for program in programs]))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, supervisor.ask_to_stop)
    if failure := supervisor.run():
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
