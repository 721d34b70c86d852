"""The report of a storm: plain text for the terminal, and docs/chaos.md."""

import os
import platform
import textwrap
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tests.chaos.checks import Verdict

if TYPE_CHECKING:
    from tests.chaos.storm import Storm

HEAD = """# Chaos

`make chaos` runs the product's own processes against the sandbox Amazon, does to them what happens in the
field, and then compares the tables with Amazon's world. `--short` takes a minute and is part of `make test`. The sequence
of faults depends on the seed alone. While everything comes back from a fault, one more process is killed.

    make chaos                                               # half an hour, 100 logins; writes this page
    .venv/bin/python -m tests.chaos --seconds 300 --seed 7 --logins 20
    .venv/bin/python -m tests.chaos --list                   # the faults
    .venv/bin/python -m tests.chaos --only "kill web"        # one of them

All processes reach PostgreSQL over a proxy, which can lose packets. People change accounts over the API all
the time, one request after another, and each request is repeated until it is answered. Amazon's world changes
all the time. Each refresh rotates the refresh token.
"""

MEANING = """“Back” is the time from the end of the fault until each process has a new heartbeat, a scheduler leads, a
login was refreshed or none is late, and `/readyz` answers 200. “Wait” is the longest time that a login which was
due waited for the begin of its refresh, from the begin of the fault until then."""


def write_report(storm: "Storm", verdict: Verdict) -> str:
    return "\n".join(
        [HEAD, *_describe(storm), *_list_faults(storm), *_list_figures(verdict), *_list_checks(verdict)]
    )


def _describe(storm: "Storm") -> list[str]:
    plan = storm.plan
    when = datetime.now(UTC)
    text = (
        f"{when:%Y-%m-%d}, seed {plan.seed}, {storm.elapsed() / 60:.0f} minutes with {plan.logins} logins, {plan.workers} workers, "
        f"{plan.schedulers} schedulers and one web process on {os.cpu_count()} cores ({platform.system()}, "
        f"Python {platform.python_version()}). Access tokens live {plan.token_seconds} s and are refreshed "
        f"{plan.lead_seconds} s before their end; each login is synced every {plan.sync_seconds} s."
    )
    return [
        "## The last long storm",
        "",
        textwrap.fill(text, 110),
        "",
        *([f"The machine was busy: {storm.load_average}.", ""] if storm.load_average else []),
    ]


def _list_faults(storm: "Storm") -> list[str]:
    rows = [
        f"| {done.name} | {done.times} | {done.worst_back:.1f} | {done.worst_wait:.1f} |"
        for done in storm.done.values()
    ]
    skipped = [f"- Not done: {name}, because {why}." for name, why in storm.skipped.items()]
    return [
        "## Faults",
        "",
        MEANING,
        "",
        "| fault | times | worst back, s | worst wait, s |",
        "| --- | --- | --- | --- |",
        *rows,
        "",
        *([*skipped, ""] if skipped else []),
    ]


def _list_figures(verdict: Verdict) -> list[str]:
    rows = [f"| {name} | {value} |" for name, value in verdict.figures.items()]
    return ["## Figures", "", "| | |", "| --- | --- |", *rows, ""]


def _list_checks(verdict: Verdict) -> list[str]:
    held = [f"- {promise}" for promise in verdict.held]
    lines = ["## What held", "", *held, ""]
    if verdict.broken:
        lines += ["## What did not hold", ""]
        for promise, problems in verdict.broken.items():
            lines += [f"- {promise}", *(f"  - `{problem}`" for problem in problems)]
        lines.append("")
    return lines


def summarize(storm: "Storm", verdict: Verdict) -> str:
    """The same for a terminal."""
    lines = [f"seed {storm.plan.seed}, {storm.elapsed():.0f} s"]
    lines += [
        f"  {done.times} × {done.name}: back after {done.worst_back:.1f} s, a due login waited {done.worst_wait:.1f} s"
        for done in storm.done.values()
    ]
    lines += [f"  not done: {name}, because {why}" for name, why in storm.skipped.items()]
    lines += [f"  {name}: {value}" for name, value in verdict.figures.items()]
    for promise, problems in verdict.broken.items():
        lines += [f"NOT KEPT: {promise}", *(f"    {problem}" for problem in problems)]
    if verdict.broken:
        lines.append(f"To repeat it: python -m tests.chaos {storm.arguments}")
    return "\n".join(lines)
