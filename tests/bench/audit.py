"""What the audit trail costs: `make bench`, or `python -m tests.bench.audit`.

    batch   an update of the labels of many accounts, alone and while another process writes 10,000 entries a minute,
            each in its own transaction, and chains them; alternately, and the medians are compared
    chain   the time to chain an entry, and to check it

Exits with 1 if a bound is not kept.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "amazon_accounts.settings")

DATABASE = "bench_audit"
ENTRIES_A_MINUTE = 10_000
CHAINED_EVERY = 60.0  # seconds
CHAIN = 50_000
MOST = 1.05


def write_for_ever() -> None:
    """Write entries at the pace, as web processes do, until this process is stopped."""
    from tokens.people.audit import Action, AuditedObject, record_audit
    from tokens.people.audit.chain import chain_entries
    from tokens.permissions import SYSTEM

    began = chained = time.monotonic()
    written = 0
    while True:
        record_audit(
            SYSTEM,
            Action.CONNECTION_UPDATE,
            AuditedObject("connection", str(written)),
            after={"regions": ["EU"]},
        )
        written += 1
        if time.monotonic() - chained > CHAINED_EVERY:
            chain_entries()
            chained = time.monotonic()
        ahead = began + written * 60 / ENTRIES_A_MINUTE - time.monotonic()
        time.sleep(max(ahead, 0.0))


@contextmanager
def writer() -> Iterator[None]:
    from django.db import connection

    command = [sys.executable, "-m", "tests.bench.audit", "--write", connection.settings_dict["HOST"]]
    process = subprocess.Popen(command)
    try:
        # Until it has started and writes.
        time.sleep(5)
        yield
    finally:
        process.kill()
        process.wait()


def run_batch(label: str) -> float:
    """Label all accounts; return the seconds from the request to the end."""
    from accounts.batch.start import start_batch
    from accounts.batch.work import run_chunk
    from accounts.models import BatchOperation
    from tokens.permissions import SYSTEM

    began = time.perf_counter()
    batch = start_batch(SYSTEM, "update", filters={}, options={"labels": {"bench": label}}, max_items=10**7)
    while run_chunk(batch.pk):
        pass
    seconds = time.perf_counter() - began
    assert BatchOperation.objects.get(pk=batch.pk).state == "succeeded"
    return seconds


def measure_batch(accounts: int, rounds: int) -> bool:
    from tokens.models import AuditEntry

    alone, beside, pace = [], [], []
    run_batch("first")  # the first one fills caches
    for number in range(rounds):
        alone.append(run_batch(f"alone {number}"))
        with writer():
            before, began = AuditEntry.objects.count(), time.perf_counter()
            beside.append(run_batch(f"beside {number}"))
            pace.append((AuditEntry.objects.count() - before) * 60 / (time.perf_counter() - began))
    cost = statistics.median(beside) / statistics.median(alone)
    print(
        f"| batch | labels of {accounts:,} accounts, {rounds} times each | {statistics.median(alone):.2f} s alone, "
        f"{statistics.median(beside):.2f} s beside {statistics.median(pace):,.0f} entries a minute | {cost:.3f} |",
        flush=True,
    )
    return bound("beside over alone", cost, at_most=MOST)


def measure_chain(number: int) -> None:
    from tokens.people.audit import Action, AuditedObject
    from tokens.people.audit.chain import chain_entries
    from tokens.people.audit.record import record_many
    from tokens.people.audit.verification import verify_trail
    from tokens.permissions import SYSTEM

    chain_entries()
    objects = [AuditedObject("connection", str(each)) for each in range(number)]
    record_many(SYSTEM, Action.CONNECTION_SYNC, objects, after={"run": "none"})
    began = time.perf_counter()
    chain_entries()
    chained = time.perf_counter()
    checked = verify_trail()
    seconds = time.perf_counter() - chained
    print(
        f"| chain | {number:,} entries | {(chained - began) / number * 1e6:.0f} us an entry; to check, "
        f"{seconds / checked.end.number * 1e6:.0f} us | |",
        flush=True,
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--accounts", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--write", metavar="HOST", help="be the process that writes")
    options = parser.parse_args()

    import django
    from django.conf import settings

    django.setup()
    from django.db import connection

    from amazon_accounts.starter.database import use_local_database
    from tests.bench.many_accounts import fill

    if options.write is not None:
        # Not as the first user of the embedded server, which would end with this process.
        settings.DATABASES["default"] |= {"NAME": DATABASE, "HOST": options.write}
        write_for_ever()
    use_local_database()
    settings.DATABASES["default"]["TEST"]["NAME"] = DATABASE
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        fill(options.accounts)
        print("| what | how | result | |\n| --- | --- | --- | --- |")
        kept = measure_batch(options.accounts, options.rounds)
        measure_chain(CHAIN)
    finally:
        connection.close()
        connection.creation.destroy_test_db(DATABASE, verbosity=0)
    return 0 if kept else 1


from tests.bench.pacing import bound  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
