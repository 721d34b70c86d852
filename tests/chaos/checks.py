"""What must be true after a storm, by the tables, by the sandbox's journal, and by the sandbox's world."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.accounts.sync.random_worlds import find_differences
from tests.chaos.people import LABELS, Request

if TYPE_CHECKING:
    from tests.chaos.storm import Storm

LEASE = timedelta(seconds=15)
# A call is written down by Amazon a little before or after we do.
SLACK = timedelta(seconds=1)
MAX_SHOWN = 5
MAX_LOG_BYTES_PER_MINUTE = 1_000_000

# Installed by the storm: every value that a label ever had.
LOG_LABELS = """
CREATE TABLE chaos_label (id bigserial, account_id uuid, label text, value text);
CREATE FUNCTION chaos_log_labels() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO chaos_label (account_id, label, value)
    SELECT new.id, key, value FROM jsonb_each_text(new.labels)
     WHERE value IS DISTINCT FROM old.labels ->> key;
    RETURN NULL;
END $$;
CREATE TRIGGER chaos_log_labels AFTER UPDATE OF labels ON user_accounts
    FOR EACH ROW EXECUTE FUNCTION chaos_log_labels();
"""
ITEMS = "SELECT batch_id::text, account_id::text, state, message FROM accounts_batchitem"
BATCHES = """
SELECT batch.id::text AS id, batch.state, batch.total, batch.succeeded + batch.failed + batch.skipped AS counted,
       (SELECT count(*) FROM accounts_batchitem item WHERE item.batch_id = batch.id
          AND item.state IN ('succeeded', 'failed', 'skipped')) AS ended
  FROM accounts_batchoperation batch
"""
ALERTS = """
SELECT connection.label, count(*) FILTER (WHERE kind = 'connection_broken') AS broken,
       count(*) FILTER (WHERE kind = 'connection_healed') AS healed
  FROM tokens_alert alert LEFT JOIN tokens_connection connection ON connection.id = alert.connection_id
 WHERE kind IN ('connection_broken', 'connection_healed', 'application_refused') GROUP BY 1
"""
# The oldest and newest moments of each history. Each must lie within the storm.
MOMENTS = {
    "syncs": "SELECT min(created_at), max(created_at) FROM accounts_syncrun",
    "refreshes": "SELECT min(started_at), max(started_at) FROM tokens_tokenrefresh",
    "changes": "SELECT min(changed_at), max(changed_at) FROM accounts_accountchange",
    "batches": "SELECT min(created_at), max(created_at) FROM accounts_batchoperation",
}
SYNCS_PER_LOGIN = """
SELECT connection.label, count(*) AS number FROM accounts_syncrun run
  JOIN tokens_connection connection ON connection.id = run.connection_id
 WHERE run.trigger = 'scheduled' AND run.state IN ('succeeded', 'partial')
 GROUP BY 1 ORDER BY 2 DESC LIMIT 3
"""


@dataclass
class Verdict:
    """What was looked at, and what did not hold."""

    held: list[str] = field(default_factory=list)
    broken: dict[str, list[str]] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)

    def expect(self, promise: str, problems: list[str]) -> None:
        if problems:
            shown = problems[:MAX_SHOWN]
            if more := len(problems) - len(shown):
                shown.append(f"and {more} more")
            self.broken[promise] = shown
        else:
            self.held.append(promise)


def judge(storm: "Storm") -> Verdict:
    verdict = Verdict()
    _judge_tables(storm, verdict)
    _judge_requests(storm, verdict)
    _judge_tokens(storm, verdict)
    _judge_histories(storm, verdict)
    _judge_processes(storm, verdict)
    _judge_readiness(storm, verdict)
    return verdict


def find_all_differences(storm: "Storm") -> list[str]:
    """Return one line for each difference between the tables and what Amazon shows."""
    from tokens.models import Connection

    found = []
    for connection in Connection.objects.active():
        truth = storm.amazon.do(lambda label=connection.label: storm.amazon.sandbox.truth(label))  # type: ignore[misc]
        found += [f"{connection.label}: {line[:200]}" for line in find_differences(truth, connection)]
    return found


def _judge_tables(storm: "Storm", verdict: Verdict) -> None:
    verdict.expect("the tables equal Amazon's world", storm.differences)
    samples = storm.sampler.samples
    verdict.expect("nothing is shown as gone that is there", list(samples.wrongly_gone.values()))
    stored = {
        row.amazon_account_id for row in storm.database.fetch("SELECT amazon_account_id FROM user_accounts")
    }
    ghosts = stored - storm.amazon.known_ids
    verdict.expect("no account is stored that never was at Amazon", sorted(ghosts))
    verdict.figures |= {
        "accounts stored": len(stored),
        "changes of Amazon's world": storm.amazon.changes,
        "rounds of syncs until the tables were equal": storm.rounds,
        "looks for accounts that are wrongly shown as gone": samples.looked_for_gone,
    }


def _judge_requests(storm: "Storm", verdict: Verdict) -> None:
    batches = storm.database.fetch(BATCHES)
    verdict.expect(
        "every operation ended, and each of its items once",
        [
            f"{row.id} is {row.state}: {row.total} items, {row.ended} ended, {row.counted} counted"
            for row in batches
            if not row.total == row.ended == row.counted
        ],
    )
    items = {(row.batch_id, row.account_id): row for row in storm.database.fetch(ITEMS)}
    verdict.expect(
        "no older request is over a newer one", [*find_older_over_newer(storm, items), *find_disorder(storm)]
    )
    people = storm.people
    verdict.expect("every request was answered as it should be", people.problems)
    verdict.figures |= {
        "requests that change accounts": len(people.requests),
        "operations": len(batches),
        "items of operations": len(items),
        "answers": ", ".join(f"{number} × {word}" for word, number in people.answers.most_common()),
        "slowest answer": f"{people.slowest:.1f} s",
    }


def find_older_over_newer(storm: "Storm", items: dict[tuple[str, str], Any]) -> Iterator[str]:
    """Compare each field of each account with the newest request for it that was not cancelled."""
    statement = "SELECT id::text, labels, inactive_reason FROM user_accounts"
    batches_of: dict[str, list[str]] = {}
    for batch_id, account_id in items:
        batches_of.setdefault(account_id, []).append(batch_id)
    asked = {request.batch_id or str(request.number): request for request in storm.people.requests}
    patches: dict[str, list[Request]] = {}
    for request in storm.people.requests:
        if request.account_id:
            patches.setdefault(request.account_id, []).append(request)
    for account in storm.database.fetch(statement):
        requests = [asked[batch] for batch in batches_of.get(account.id, []) if batch in asked]
        requests = sorted([*requests, *patches.get(account.id, [])], key=lambda request: request.number)
        values = {f"labels.{label}": account.labels.get(label) for label in LABELS}
        values["connected"] = "disconnect" if account.inactive_reason == "disconnected" else "reconnect"
        for name, value in values.items():
            of_field = [request for request in requests if request.field == name]
            yield from _compare(account.id, name, value, of_field, items)


def _compare(
    account_id: str, name: str, value: str | None, requests: list[Request], items: dict[tuple[str, str], Any]
) -> Iterator[str]:
    done = [request for request in requests if _is_done(request, account_id, items)]
    wanted = [request for request in requests if not request.is_cancelled]
    if done and done[-1].value != value:
        yield f"{name} of {account_id} is {value}, the newest request that was done says {done[-1].value}"
    if wanted and wanted[-1] not in done and (not done or done[-1].number < wanted[-1].number):
        item = items.get((wanted[-1].batch_id, account_id))
        yield f"{name} of {account_id}: request {wanted[-1].number} was not done: {item}"


def _is_done(request: Request, account_id: str, items: dict[tuple[str, str], Any]) -> bool:
    if request.account_id:
        return True
    item = items[request.batch_id, account_id]
    # "It was disconnected before" is what the request asks for.
    return bool(item.state == "succeeded" or (item.state == "skipped" and item.message.startswith("It was")))


def find_disorder(storm: "Storm") -> Iterator[str]:
    """Find labels that went back to an older request, or got the same one twice, at any moment of the storm."""
    log = storm.database.fetch(
        "SELECT account_id::text, label, value FROM chaos_label ORDER BY account_id, label, id"
    )
    for (account_id, label), rows in itertools.groupby(log, key=lambda row: (row.account_id, row.label)):
        numbers = [int(row.value) for row in rows]
        for one, other in itertools.pairwise(numbers):
            if other <= one:
                yield f"the label {label} of {account_id} went from request {one} to {other}"


def _judge_tokens(storm: "Storm", verdict: Verdict) -> None:
    from django.utils import timezone

    from tokens.models import TokenRefresh

    samples, plan = storm.sampler.samples, storm.plan
    verdict.expect("no live token expired", samples.expired)
    verdict.expect("Amazon accepts every live token", samples.refused_by_amazon)
    entries = storm.amazon.do(lambda: list(storm.amazon.sandbox.journal))
    calls = [entry for entry in entries if entry.area == "api"]
    asked = [entry for entry in entries if entry.area == "token"]
    verdict.expect(
        "no call carried an expired token",
        [f"{entry.path} of {entry.login}" for entry in calls if entry.credential == "expired"],
    )
    refreshes = list(TokenRefresh.objects.select_related("connection").order_by("started_at"))
    by_login: dict[str, list[TokenRefresh]] = {}
    for refresh in refreshes:
        by_login.setdefault(refresh.connection.label, []).append(refresh)
    verdict.expect("a login is refreshed once at a time", list(find_overlaps(by_login)))
    verdict.expect(
        "every call to Login with Amazon is in the history", list(find_unknown_calls(asked, by_login))
    )
    rate = TokenRefresh.objects.since(timezone.now() - timedelta(days=1)).success_rate()
    verdict.expect("the success rate is 100 %", [] if rate == 1.0 else [f"{rate}"])
    verdict.figures |= {
        "samples of all tokens": samples.tokens,
        "samples missed while PostgreSQL was away": samples.missed,
        "least remaining life of a live token": f"{samples.least_life:.0f} of {plan.token_seconds} s",
        "tokens that Amazon was asked about": samples.asked_amazon,
        "refreshes": len(refreshes),
        "refreshes lost with their process, and done again": sum(one.outcome == "lost" for one in refreshes),
        "calls to Login with Amazon; failed": f"{len(asked)}; {sum(entry.status != 200 for entry in asked)}",
        "calls to the Ads API; refused or failed": f"{len(calls)}; {sum(entry.status >= 400 for entry in calls)}",
    }


def find_overlaps(by_login: dict[str, list[Any]]) -> Iterator[str]:
    """Find refreshes of one login that ran together, or that followed a dead one within its lease."""
    for login, refreshes in by_login.items():
        for one, other in itertools.pairwise(refreshes):
            if one.outcome == "lost":
                if other.started_at < one.started_at + LEASE - SLACK:
                    yield f"{login} at {other.started_at:%H:%M:%S} within the lease of a dead process"
            elif one.finished_at is None or other.started_at < one.finished_at:
                yield f"{login} at {other.started_at:%H:%M:%S} while another one ran"


def find_unknown_calls(asked: list[Any], by_login: dict[str, list[Any]]) -> Iterator[str]:
    """Find calls to the token endpoint at a time when no refresh of that login was open."""
    for entry in asked:
        moment = datetime.fromtimestamp(entry.time).astimezone()
        for refresh in by_login.get(entry.login, []):
            ended = refresh.finished_at or moment
            if refresh.started_at - SLACK <= moment <= ended + SLACK:
                break
        else:
            yield f"{entry.login} at {moment:%H:%M:%S}"


def _judge_histories(storm: "Storm", verdict: Verdict) -> None:
    began, ended = storm.began_at - SLACK, datetime.now().astimezone() + SLACK
    wrong = []
    for name, statement in MOMENTS.items():
        first, last = storm.database.fetch(statement)[0]
        wrong += [
            f"{name}: {moment:%H:%M:%S}"
            for moment in (first, last)
            if moment and not began <= moment <= ended
        ]
    verdict.expect("no history is written in the past or the future", wrong)
    most = (ended - began).total_seconds() / storm.plan.sync_seconds * 1.5 + 3
    verdict.expect(
        "no login is synced too often",
        [f"{row.label}: {row.number}" for row in storm.database.fetch(SYNCS_PER_LOGIN) if row.number > most],
    )
    jobs = storm.database.fetch(
        "SELECT task_name, status::text, count(*) AS number FROM procrastinate_jobs"
        " WHERE status IN ('failed', 'doing') AND (status = 'failed' OR scheduled_at < now() - interval '2 minutes')"
        " GROUP BY 1, 2"
    )
    verdict.expect(
        "no job stays behind in the queue", [f"{row.number} × {row.task_name} {row.status}" for row in jobs]
    )
    verdict.expect("the alerts told the truth", list(_find_wrong_alerts(storm)))


def _find_wrong_alerts(storm: "Storm") -> Iterator[str]:
    told = {row.label: row for row in storm.database.fetch(ALERTS)}
    for login, times in storm.revoked.items():
        row = told.get(login)
        if row is None or (row.broken, row.healed) != (times, times):
            yield f"{login} was revoked and reconnected {times} times, the alerts: {row}"
    for label, row in told.items():
        if label is None:
            yield "an alert says that the application was refused"
        elif label not in storm.revoked and row.broken != row.healed:
            yield f"{label}: {row.broken} alerts say broken, {row.healed} healed"
        elif label not in storm.revoked and not storm.has_rotated:
            yield f"{label} is called broken, and never was"


def _judge_processes(storm: "Storm", verdict: Verdict) -> None:
    minutes = storm.elapsed() / 60
    verdict.expect("every fault could be done", storm.problems)
    verdict.expect(
        "no process ended by itself", [line for program in storm.fleet for line in program.unexpected_ends]
    )
    verdict.expect(
        "every process ends within 10 s of SIGTERM",
        [
            f"{name}: {seconds:.1f} s"
            for seconds, name in storm.restart_seconds
            if seconds > 10 * storm.patience
        ],
    )
    sizes = {program.name: program.log.stat().st_size for program in storm.fleet if program.log.exists()}
    verdict.expect(
        "no process logs a megabyte a minute",
        [
            f"{name}: {size}"
            for name, size in sizes.items()
            if size > MAX_LOG_BYTES_PER_MINUTE * max(1, minutes)
        ],
    )
    late = [
        f"{done.name}: {done.worst_back:.0f} s"
        for done in storm.done.values()
        if done.worst_back > done.fault.back_seconds * storm.patience
    ]
    verdict.expect("after each fault everything is back in time", late)
    waits = [
        f"{done.name}: {done.worst_wait:.0f} s"
        for done in storm.done.values()
        if done.worst_wait > done.fault.wait_seconds * storm.patience
    ]
    verdict.expect("no login that is due waits longer than 60 s for its refresh", waits)
    text = {program.name: program.log.read_text(errors="replace") for program in storm.fleet}
    verdict.figures |= {
        "kills of processes": sum(program.kills for program in storm.fleet),
        "kills and restarts of PostgreSQL": storm.database_kills,
        "freezes": sum(program.freezes for program in storm.fleet),
        "slowest end after SIGTERM": f"{max(storm.restart_seconds, default=(0.0, ''))[0]:.1f} s",
        "bytes logged in a minute, by the loudest": f"{max(sizes.values(), default=0) / max(1, minutes):,.0f}",
        "tracebacks in the logs": sum(
            len(re.findall("^Traceback", each, re.MULTILINE)) for each in text.values()
        ),
    }


def _judge_readiness(storm: "Storm", verdict: Verdict) -> None:
    samples = storm.sampler.samples
    verdict.expect("/readyz told the truth", samples.wrong_probes)
    verdict.expect("samples were taken", [] if samples.tokens and samples.probes else ["none"])
    verdict.figures |= {
        "probes of /readyz; while the database was away": f"{samples.probes}; {samples.probes_down}",
        "slowest answer of /readyz": f"{samples.slowest_probe:.1f} s",
        "longest pause of the samples themselves": f"{samples.longest_gap:.1f} s",
    }
