"""`python -m tests.load`: put the product under load and report throughput, times, memory and growth."""

import argparse
import dataclasses
import os
import signal
import sys
import tempfile
from pathlib import Path

from tests.load.plan import Plan

BEGIN, END = "<!-- load -->\n", "<!-- /load -->"


def main() -> int:
    options = _read_options()
    plan = Plan(
        **{each.name: getattr(options, each.name) for each in dataclasses.fields(Plan)},
    )
    # What was started ends with the load, however it is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="load-", ignore_cleanup_errors=True) as folder:
        for name in ("DATABASE_URL", "AMAZON_CLIENT_ID", "AMAZON_CLIENT_SECRET"):
            os.environ.pop(name, None)
        os.environ |= {"DATA_DIR": folder, "DJANGO_SETTINGS_MODULE": "amazon_accounts.settings"}
        import django

        django.setup()
        from tests.load.load import Load
        from tests.load.report import describe, find_missed

        found = Load(plan, Path(folder)).run()
        text = describe(plan, found)
        sys.stdout.write(text)
        if options.report:
            write_figures(Path(options.report), text)
    return int(bool(find_missed(found)))


def write_figures(page: Path, text: str) -> None:
    """Put the text between the marks of the page."""
    before, _, rest = page.read_text().partition(BEGIN)
    page.write_text(before + BEGIN + text + END + rest.partition(END)[2])


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.load")
    for each in dataclasses.fields(Plan):
        option = f"--{each.name.replace('_', '-')}"
        parser.add_argument(option, type=int, default=each.default, help="default: %(default)s")
    parser.add_argument("--report", metavar="FILE", help="put the figures into this page")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
