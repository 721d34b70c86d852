import argparse
import dataclasses
import os
import shlex
import signal
import sys
import tempfile
from pathlib import Path

from tests.chaos.plan import LONG, SHORT, Plan


def main() -> int:
    options = _read_options()
    plan = _make_plan(options)
    # What was started ends with the storm, however it is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as folder:
        # Before Django reads its settings: the storm itself uses the database without the proxy.
        for name in ("DATABASE_URL", "AMAZON_CLIENT_ID", "AMAZON_CLIENT_SECRET"):
            os.environ.pop(name, None)
        os.environ |= {"DATA_DIR": folder, "DJANGO_SETTINGS_MODULE": "amazon_accounts.settings"}
        import django

        django.setup()
        from tests.chaos.faults import FAULTS
        from tests.chaos.report import summarize, write_report
        from tests.chaos.storm import Storm

        if options.list:
            print("\n".join(fault.name for fault in FAULTS))
            return 0
        storm = Storm(plan, Path(folder), shlex.join(sys.argv[1:]))
        verdict = storm.run()
        print(summarize(storm, verdict))
        if options.report:
            Path(options.report).write_text(write_report(storm, verdict), encoding="utf-8")
        if verdict.broken and options.logs:
            Path(options.logs).mkdir(exist_ok=True)
            for program in storm.fleet:
                (Path(options.logs) / program.log.name).write_bytes(program.log.read_bytes())
    return 1 if verdict.broken else 0


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument(
        "--short", action="store_true", help="the faults that are over soon, in about a minute"
    )
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--logins", type=int)
    parser.add_argument("--only", action="append", metavar="FAULT", help="this fault alone; may be repeated")
    parser.add_argument("--report", metavar="FILE", help="write the report as Markdown")
    parser.add_argument(
        "--logs", metavar="FOLDER", help="keep the logs of the processes if something did not hold"
    )
    parser.add_argument("--list", action="store_true", help="list the faults")
    return parser.parse_args()


def _make_plan(options: argparse.Namespace) -> Plan:
    plan = SHORT if options.short else LONG
    given = {
        name: getattr(options, name)
        for name in ("seconds", "seed", "logins")
        if getattr(options, name) is not None
    }
    return dataclasses.replace(plan, only=tuple(options.only or ()), **given)


if __name__ == "__main__":
    sys.exit(main())
