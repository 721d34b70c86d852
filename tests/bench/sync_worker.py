"""Sync connections and print the result: `python -m tests.bench.sync_worker CONCURRENCY ID ...`."""

import asyncio
import json
import os
import resource
import sys
import time
from pathlib import Path
from uuid import UUID

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "amazon_accounts.settings")

MEGABYTE = 1024 * 1024


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def peak_since_reset() -> int:
    line = next(
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")
    )
    return int(line.split()[1]) * 1024


async def sync_all(ids: list[UUID], concurrency: int) -> dict[str, object]:
    from accounts.sync.foreground import sync_now
    from amazon_accounts.amazon_ads.client import AmazonClient
    from amazon_accounts.postgresql.threads import in_thread
    from tokens.models import Connection

    slots = asyncio.Semaphore(concurrency)
    async with AmazonClient() as amazon:

        async def one(connection_id: UUID) -> dict[str, object]:
            async with slots:
                connection = await in_thread(Connection.objects.get)(pk=connection_id)
                run = await sync_now(connection, amazon)
            names = ("seen", "created", "changed", "unchanged", "requests")
            return {"state": run.state, "error": run.error, **{name: getattr(run, name) for name in names}}

        # The first sync loads code and opens threads and database connections, as a worker did long before.
        await one(ids[0])
        forget_peak()
        before, began, cpu = resident(), time.perf_counter(), time.process_time()
        results = await asyncio.gather(*(one(connection_id) for connection_id in ids[1:]))
        seconds = time.perf_counter() - began
        return {
            "seconds": seconds,
            "cpu_seconds": time.process_time() - cpu,
            "grown_megabytes": max(0, peak_since_reset() - before) / MEGABYTE,
            "runs": results,
        }


def main() -> None:
    import django

    django.setup()
    from amazon_accounts.postgresql.threads import tune_interpreter

    # As in a worker.
    tune_interpreter()
    concurrency, *ids = sys.argv[1:]
    print(json.dumps(asyncio.run(sync_all([UUID(each) for each in ids], int(concurrency)))))


if __name__ == "__main__":
    main()
