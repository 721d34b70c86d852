"""Writes docs/reference/ from the code: `make reference`. A test compares the pages with the code."""

import argparse
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
FOLDER = PROJECT / "docs" / "reference"
NOTE = "<!-- Made from the code by `make reference`. Change the code. -->"


def describe_metrics() -> str:
    from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

    from amazon_accounts.postgresql.measures import MEASURES
    from dashboard.monitoring.metrics import ConsoleCollector

    labels = {f"amazon_accounts_{measure.name}": measure.labels for measure in MEASURES}
    rows = []
    for family in ConsoleCollector().collect():
        name = f"{family.name}_total" if isinstance(family, CounterMetricFamily) else family.name
        own = labels.get(family.name, getattr(family, "_labelnames", ()))
        kind = "histogram" if isinstance(family, HistogramMetricFamily) else family.type
        rows.append([f"`{name}`", kind, ", ".join(f"`{label}`" for label in own), family.documentation])
    return _page(
        "Metrics",
        "What `GET /metrics` answers. [Watch it](../observing.md#metrics) says how to read it.",
        _table(["name", "type", "labels", "is"], sorted(rows)),
    )


def describe_commands() -> str:
    from django.core.management import get_commands, load_command_class

    own = {"accounts", "dashboard", "tokens"}
    parts = []
    for name, application in sorted(get_commands().items()):
        if application not in own:
            continue
        command = load_command_class(str(application), name)
        parser: argparse.ArgumentParser = command.create_parser("manage.py", name)
        rows = [
            [f"`{_name_argument(action)}`", _cell(_expand(action, parser))]
            for action in parser._actions  # noqa: SLF001 - argparse has no other list
            if action.help != argparse.SUPPRESS and not _is_djangos(action)
        ]
        parts.append(f"## {name}\n\n{_cell(str(command.help).strip())}\n")
        if rows:
            parts.append(_table(["argument", "is"], rows))
    return _page(
        "Commands", "Each is run as `python manage.py`, its name, and its arguments.", "\n".join(parts)
    )


def _is_djangos(action: argparse.Action) -> bool:
    shared = {
        "-h", "--version", "-v", "--settings", "--pythonpath", "--traceback", "--no-color", "--force-color", "--skip-checks",
    }  # fmt: skip
    return bool(shared & set(action.option_strings))


def _name_argument(action: argparse.Action) -> str:
    if not action.option_strings:
        choices = "\\|".join(map(str, action.choices)) if action.choices else ""
        return choices or str(action.metavar or action.dest).upper()
    value = "" if action.nargs == 0 else f" {action.metavar or action.dest.upper()}"
    return f"{action.option_strings[-1]}{value}"


def _expand(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    return (action.help or "") % {**vars(action), "prog": parser.prog}


def describe_events() -> str:
    from tokens.models import Event

    rows = [[f"`{kind.value}`", kind.value.partition(".")[0]] for kind in Event.Type]
    text = (
        "What webhooks send and `GET /api/v1/events/` lists, in the form of [Standard Webhooks](https://www.standardwebhooks.com). "
        "[Run it in production](../production.md#webhooks) says how they are sent."
    )
    return _page("Events", text, _table(["type", "about a"], rows))


def _page(title: str, text: str, body: str) -> str:
    return f"# {title}\n\n{NOTE}\n\n{text}\n\n{body.rstrip()}\n"


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


PAGES: dict[str, Callable[[], str]] = {
    "commands": describe_commands,
    "events": describe_events,
    "metrics": describe_metrics,
}


def main() -> None:
    sys.path.insert(0, str(PROJECT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "amazon_accounts.settings")
    import django

    django.setup()
    from django.core.management import call_command

    from amazon_accounts.starter.database import require_database

    # Metrics are counted in a database. It may be empty.
    require_database()
    call_command("migrate", verbosity=0)
    for name, describe in PAGES.items():
        (FOLDER / f"{name}.md").write_text(describe(), encoding="utf-8")


if __name__ == "__main__":
    main()
