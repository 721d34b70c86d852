"""What a load has shown, as Markdown."""

import os
from datetime import UTC, datetime

from tests.load.load import Measured
from tests.load.plan import Plan

MAX_QUEUE_AGE, MAX_GROWTH = 5.0, 0.05
MB = 1024 * 1024


def find_p95(values: list[float]) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.95))] if values else 0.0


def find_missed(found: Measured) -> list[str]:
    """Return what is worse than what must be reached."""
    missed = [
        f"the queue {queue} is {find_p95(ages):.1f} s old at p95"
        for queue, ages in found.queue_ages.items()
        if find_p95(ages) > MAX_QUEUE_AGE
    ]
    missed += [
        f"memory of {name} grows {usage.growth:.1%} in the second half"
        for name, usage in found.usage.items()
        if usage.growth > MAX_GROWTH and name != "PostgreSQL"
    ]
    missed += [f"{number} times {what}" for what, number in found.refused.items()]
    if found.rows["expired"]:
        missed.append(f"{found.rows['expired']} tokens have ended")
    return missed


def describe(plan: Plan, found: Measured) -> str:
    parts = [_describe_plan(plan, found), _list_work(plan, found), _list_times(found), _list_usage(found)]
    missed = find_missed(found)
    result = "; ".join(missed) if missed else "everything was reached"
    parts.append(
        f"Missed of queue age p95 under {MAX_QUEUE_AGE:.0f} s and memory growth under {MAX_GROWTH:.0%}: {result}."
    )
    return "\n\n".join(parts) + "\n"


def _describe_plan(plan: Plan, found: Measured) -> str:
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores with the sandbox and the visitors on them: {plan.connections} connections, "
        f"{found.rows['accounts']} accounts, {plan.workers} workers, {plan.people} people and a client of the API, "
        f"{found.seconds:.0f} s. Tokens and syncs follow each other {plan.compression} times as fast as usual. "
        f"All connections were synced for the first time within {found.warm_up_seconds:.0f} s."
    )


def _list_work(plan: Plan, found: Measured) -> str:
    rows, seconds = found.rows, found.seconds
    growth = (rows["bytes"] - found.bytes_before) / MB
    days = seconds * plan.compression / 86_400
    age = max((find_p95(ages) for ages in found.queue_ages.values()), default=0.0)
    lines = [
        ("syncs", f"{rows['syncs']}, {rows['syncs'] / seconds:.2f} a second; {rows['lost_syncs']} failed"),
        ("a sync, p95; its wait in the queue, p95", f"{rows['sync_p95'] or 0:.2f} s; {rows['wait_p95'] or 0:.2f} s"),
        ("calls to Amazon in syncs", f"{rows['calls']}, {rows['calls'] / seconds:.1f} a second"),
        ("refreshes", f"{rows['refreshes']}, {rows['refreshes'] / seconds:.2f} a second; {rows['lost_refreshes']} failed"),
        ("queue age, p95 of the slowest queue", f"{age:.1f} s"),
        ("database", f"{rows['bytes'] / MB:.0f} MB; grew {growth:.1f} MB, which is {growth / days:.0f} MB a day at the usual pace"),
    ]  # fmt: skip
    return "\n".join(
        ["| what | measured |", "| --- | --- |", *(f"| {name} | {text} |" for name, text in lines)]
    )


def _list_times(found: Measured) -> str:
    lines = ["| page or call | times | median | p95 |", "| --- | --- | --- | --- |"]
    for name, times in sorted(found.times.items()):
        middle = sorted(times)[len(times) // 2]
        lines.append(f"| {name} | {len(times)} | {middle * 1000:.0f} ms | {find_p95(times) * 1000:.0f} ms |")
    return "\n".join(lines)


def _list_usage(found: Measured) -> str:
    lines = ["| process | CPU | memory, at most | growth in the second half |", "| --- | --- | --- | --- |"]
    for name, usage in sorted(found.usage.items()):
        share = usage.cpu_seconds / found.seconds
        lines.append(f"| {name} | {share:.0%} of a core | {max(usage.memory):.0f} MB | {usage.growth:.1%} |")
    return "\n".join(lines)
