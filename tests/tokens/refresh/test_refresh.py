import asyncio
import time
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import OperationalError, transaction
from django.db import connection as database
from django.utils import timezone

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.errors import ApplicationRefusedError, GrantRevokedError, TransientError
from amazon_accounts.amazon_ads.models import ApplicationRefusal, ParkedLogin, RateLimit
from amazon_accounts.amazon_ads.pacing import pace
from amazon_accounts.amazon_ads.pacing.rate_limiter import LWA_KEY
from amazon_accounts.amazon_ads.pacing.reservation import reserve
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from tests.tokens.conftest import ConnectionFactory
from tokens.connect.disconnect import disconnect_connection
from tokens.encryption import Secret
from tokens.models import Alert, Connection, TokenRefresh
from tokens.refresh import lease, outcomes
from tokens.refresh.one import CONCURRENCY, access_token, refresh_connections, refresh_due, refresh_queued
from tokens.signals import connection_changed

pytestmark = pytest.mark.django_db(transaction=True)

Outcome = TokenRefresh.Outcome
TOKEN_PATH = "/auth/o2/token"


async def reloaded(connection: Connection) -> Connection:
    return await in_thread(Connection.objects.get)(pk=connection.pk)


async def refreshes_of(connection: Connection) -> list[TokenRefresh]:
    return await in_thread(lambda: list(connection.refreshes.order_by("started_at")))()


def make_due(connection: Connection) -> None:
    """Let its lease run out now: after a check that is under way began, which leaves it to the next."""
    Connection.objects.filter(pk=connection.pk).update(next_refresh_at=timezone.now())


async def test_it_refreshes_what_is_due_and_nothing_else(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    due = await in_thread(connect)("bob")
    later = await in_thread(connect)("charlie", next_refresh_at=timezone.now() + timedelta(minutes=30))

    counts = await refresh_due(amazon)

    assert dict(counts) == {"succeeded": 1}
    assert sandbox.journal.count(path=TOKEN_PATH) == 1
    due = await reloaded(due)
    assert due.access_token is not None
    assert due.access_token.reveal().startswith("Atza|")
    assert due.access_token.reveal() != "Atza|old"
    assert due.refresh_count == 1
    assert due.lease_id is None
    assert due.expires_at is not None
    assert due.next_refresh_at is not None
    left = due.expires_at - timezone.now()
    assert timedelta(minutes=59) < left <= timedelta(minutes=60)
    assert timedelta(seconds=600) <= due.expires_at - due.next_refresh_at <= timedelta(seconds=660)
    assert (await reloaded(later)).refresh_count == 0


async def test_it_writes_the_history_of_a_refresh(connect: ConnectionFactory, amazon: AmazonClient) -> None:
    connection = await in_thread(connect)()
    await refresh_due(amazon)
    (refresh,) = await refreshes_of(connection)
    assert refresh.trigger == TokenRefresh.Trigger.SCHEDULED
    assert refresh.outcome == Outcome.SUCCEEDED
    assert refresh.tries == 1
    assert refresh.request_id
    assert refresh.finished_at is not None
    assert refresh.new_expires_at == (await reloaded(connection)).expires_at


async def test_a_token_does_not_live_longer_because_the_database_was_away(
    connect: ConnectionFactory, amazon: AmazonClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await in_thread(connect)()
    record, answered_at = outcomes.record_success, []

    def record_late(*args: Any, **kwargs: Any) -> TokenRefresh.Outcome:
        answered_at.append(timezone.now())
        if len(answered_at) == 1:
            raise OperationalError("The database is away.")
        return record(*args, **kwargs)

    monkeypatch.setattr(outcomes, "record_success", record_late)
    assert dict(await refresh_due(amazon)) == {"succeeded": 1}
    expires_at = (await reloaded(connection)).expires_at
    assert expires_at is not None
    assert expires_at <= answered_at[0] + timedelta(hours=1)


async def test_it_keeps_the_lead_within_half_of_a_short_life(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    sandbox.choices.change({"access_token_seconds": 60})
    connection = await in_thread(connect)()
    await refresh_due(amazon)
    connection = await reloaded(connection)
    assert connection.expires_at is not None
    assert connection.next_refresh_at is not None
    assert timedelta(seconds=29) < connection.expires_at - connection.next_refresh_at <= timedelta(seconds=30)


async def test_it_retries_inside_the_check(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)()
    sandbox.faults.add("error_500", path=TOKEN_PATH, count=2)
    assert dict(await refresh_due(amazon)) == {"succeeded": 1}
    (refresh,) = await refreshes_of(connection)
    assert refresh.tries == 3


async def test_it_leaves_a_connection_alive_through_an_outage(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)()
    sandbox.faults.add("error_503", path=TOKEN_PATH)
    assert dict(await refresh_due(amazon)) == {"transient": 1}
    broken = await reloaded(connection)
    assert broken.state == Connection.State.ACTIVE
    assert broken.last_error
    assert broken.next_refresh_at is not None
    assert timedelta(0) < broken.next_refresh_at - timezone.now() <= timedelta(seconds=30)
    assert broken.access_token is not None
    assert broken.access_token.reveal() == "Atza|old"

    sandbox.faults.clear()
    await in_thread(make_due)(connection)
    assert dict(await refresh_due(amazon)) == {"succeeded": 1}
    assert (await reloaded(connection)).last_error == ""


@pytest.mark.parametrize(
    ("choice", "stays"),
    [
        ({"refresh_answer": "without_refresh_token"}, True),
        ({"refresh_rotation": "same"}, True),
        ({"refresh_rotation": "rotate"}, False),
        ({"refresh_rotation": "rotate_and_end"}, False),
    ],
)
async def test_it_keeps_the_refresh_token_unless_amazon_gives_another(
    connect: ConnectionFactory,
    amazon: AmazonClient,
    sandbox: Sandbox,
    choice: dict[str, str],
    stays: bool,
) -> None:
    sandbox.choices.change(choice)
    connection = await in_thread(connect)()
    assert connection.refresh_token is not None
    before = connection.refresh_token.reveal()
    await refresh_due(amazon)
    after = await reloaded(connection)
    assert after.refresh_token is not None
    assert (after.refresh_token.reveal() == before) is stays

    await in_thread(make_due)(connection)
    assert dict(await refresh_due(amazon)) == {"succeeded": 1}


async def test_it_reads_a_life_written_as_text(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    sandbox.choices.change({"expires_in": "string"})
    await in_thread(connect)()
    assert dict(await refresh_due(amazon)) == {"succeeded": 1}


async def test_it_confirms_a_dead_grant_once_and_then_never_asks_again(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)("bob")
    heard: list[str] = []

    def listener(change: str, **_: object) -> None:
        heard.append(change)

    connection_changed.connect(listener)
    try:
        sandbox.revoke("bob")
        assert dict(await refresh_due(amazon)) == {"reauthorise": 1}
    finally:
        connection_changed.disconnect(listener)
    assert heard == ["broken"]
    assert sandbox.journal.count(path=TOKEN_PATH) == 2
    connection = await reloaded(connection)
    assert connection.state == Connection.State.REAUTHORIZATION_REQUIRED
    assert connection.next_refresh_at is None
    assert "no longer accepts" in connection.last_error or connection.last_error
    assert await in_thread(Alert.objects.filter(kind=Alert.Kind.CONNECTION_BROKEN).count)() == 1

    await refresh_due(amazon)
    await refresh_connections([connection.pk], TokenRefresh.Trigger.MANUAL, amazon)
    with pytest.raises(GrantRevokedError):
        await access_token(connection.pk, amazon=amazon)
    assert sandbox.journal.count(path=TOKEN_PATH) == 2


async def test_it_believes_in_a_passing_fault_when_the_second_try_succeeds(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)("bob")
    sandbox.faults.add(
        "lwa_error", path=TOKEN_PATH, count=1, options={"status": 400, "error": "invalid_grant"}
    )
    assert dict(await refresh_due(amazon)) == {"succeeded": 1}
    assert (await reloaded(connection)).grant_refusals == 0


async def test_it_asks_with_the_token_that_another_process_stored_meanwhile(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    newer = sandbox.refresh_token("bob")
    connection = await in_thread(connect)("bob", refresh_token="Atzr|stale")

    def store_newer() -> None:
        Connection.objects.filter(pk=connection.pk).update(refresh_token=newer)

    async def on_call(_: object) -> None:
        await in_thread(store_newer)()

    sandbox.faults.add("run", path=TOKEN_PATH, count=1, options={"function": on_call})
    assert dict(await refresh_due(amazon)) == {"succeeded": 1}
    assert (await reloaded(connection)).state == Connection.State.ACTIVE


PASSING_REFUSAL = {"status": 400, "error": "invalid_grant"}


@pytest.mark.parametrize("moment", ["while Amazon is asked", "while the refusal is waited out"])
async def test_a_newer_token_is_not_dead_after_one_refusal(
    connect: ConnectionFactory,
    amazon: AmazonClient,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    newer = sandbox.refresh_token("bob")
    connection = await in_thread(connect)("bob", refresh_token="Atzr|stale")
    read = outcomes.stored_refresh_token

    def store_newer() -> None:
        Connection.objects.filter(pk=connection.pk).update(refresh_token=newer)

    def read_newer(claim: lease.Claim) -> Secret | None:
        store_newer()
        return read(claim)

    async def on_call(_: object) -> None:
        await in_thread(store_newer)()

    if moment == "while Amazon is asked":
        sandbox.faults.add("run", path=TOKEN_PATH, count=1, options={"function": on_call})
    else:
        monkeypatch.setattr(outcomes, "stored_refresh_token", read_newer)
    sandbox.faults.add("lwa_error", path=TOKEN_PATH, nth=2, options=PASSING_REFUSAL)
    assert dict(await refresh_due(amazon)) == {"succeeded": 1}
    assert sandbox.journal.count(path=TOKEN_PATH) == 3


async def test_a_refusal_counts_once_though_the_answer_to_its_commit_was_lost(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await in_thread(connect)("bob")
    note, noted = outcomes.note_refusal, []

    def note_and_lose_the_answer(*args: Any) -> Secret | None:
        noted.append(note(*args))
        if len(noted) == 1:
            raise OperationalError("The connection broke.")
        return noted[-1]

    monkeypatch.setattr(outcomes, "note_refusal", note_and_lose_the_answer)
    sandbox.faults.add("lwa_error", path=TOKEN_PATH, count=1, options=PASSING_REFUSAL)
    assert dict(await refresh_due(amazon)) == {"succeeded": 1}
    assert len(noted) == 2


async def test_it_never_makes_more_than_three_refused_calls_though_its_process_dies(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await in_thread(connect)("bob")
    sandbox.revoke("bob")
    monkeypatch.setattr("tokens.refresh.exchange.CONFIRMATION_SECONDS", 60)
    dying = asyncio.create_task(refresh_due(amazon))
    while (await reloaded(connection)).grant_refusals == 0:  # noqa: ASYNC110  no event crosses the database
        await asyncio.sleep(0.01)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)

    await in_thread(make_due)(connection)
    assert dict(await refresh_due(amazon)) == {"reauthorise": 1}
    assert sandbox.journal.count(path=TOKEN_PATH) == 2
    assert [refresh.outcome for refresh in await refreshes_of(connection)] == ["lost", "reauthorise"]


async def test_it_makes_one_call_for_many_who_ask_at_once(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)("bob", expires_at=timezone.now() - timedelta(minutes=1))
    sandbox.faults.add("slow", path=TOKEN_PATH, options={"seconds": 0.3})
    tokens = await asyncio.gather(*(access_token(connection.pk, amazon=amazon) for _ in range(25)))
    assert len(set(tokens)) == 1
    assert sandbox.journal.count(path=TOKEN_PATH) == 1
    (refresh,) = await refreshes_of(connection)
    assert refresh.trigger == TokenRefresh.Trigger.ON_USE


async def test_it_gives_a_token_that_is_still_good_without_a_call(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)("bob")
    assert await access_token(connection.pk, amazon=amazon) == "Atza|old"
    assert sandbox.journal.count() == 0


async def test_it_replaces_a_token_that_amazon_rejected(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)("bob")
    token = await access_token(connection.pk, amazon=amazon, rejected="Atza|old")
    assert token != "Atza|old"
    # Who was rejected with the old one too gets the new one without another call.
    assert await access_token(connection.pk, amazon=amazon, rejected="Atza|old") == token
    assert sandbox.journal.count(path=TOKEN_PATH) == 1


async def test_it_does_not_refresh_at_every_use_when_tokens_live_for_less_than_a_minute(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    sandbox.choices.change({"access_token_seconds": 30})
    connection = await in_thread(connect)("bob", expires_at=timezone.now() - timedelta(minutes=1))
    for _ in range(3):
        await access_token(connection.pk, amazon=amazon)
    assert sandbox.journal.count(path=TOKEN_PATH) == 1


async def test_those_who_wait_hear_why_it_failed_and_do_not_try_themselves(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox, settings: LazySettings
) -> None:
    settings.AMAZON_MAX_ATTEMPTS = 1
    connection = await in_thread(connect)("bob", expires_at=timezone.now() - timedelta(minutes=1))
    sandbox.faults.add("slow", path=TOKEN_PATH, options={"seconds": 0.2})
    sandbox.faults.add("error_500", path=TOKEN_PATH)
    # Another process holds the lease; its outcome is read from the row.
    other = asyncio.create_task(refresh_due(amazon))
    while sandbox.journal.count(path=TOKEN_PATH) == 0:
        held = await reloaded(connection)
        if held.lease_id is not None:
            break
        await asyncio.sleep(0.01)
    with pytest.raises(TransientError):
        await access_token(connection.pk, amazon=amazon)
    await other
    assert sandbox.journal.count(path=TOKEN_PATH) == 1


async def test_a_connection_disconnected_in_mid_refresh_is_not_revived(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)("bob")

    async def on_call(_: object) -> None:
        await in_thread(disconnect_connection)(None, connection)

    sandbox.faults.add("run", path=TOKEN_PATH, options={"function": on_call})
    assert dict(await refresh_due(amazon)) == {"superseded": 1}
    after = await reloaded(connection)
    assert after.state == Connection.State.DISCONNECTED
    assert after.access_token is None
    assert after.refresh_token is None
    (refresh,) = await refreshes_of(connection)
    assert refresh.outcome == Outcome.SUPERSEDED


async def test_a_connection_reconnected_in_mid_refresh_keeps_its_new_grant(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)("bob")

    def reconnect() -> None:
        Connection.objects.filter(pk=connection.pk).update(
            grant_version=2, lease_id=None, access_token="Atza|of the new grant"
        )

    async def on_call(_: object) -> None:
        await in_thread(reconnect)()

    sandbox.faults.add("run", path=TOKEN_PATH, options={"function": on_call})
    assert dict(await refresh_due(amazon)) == {"superseded": 1}
    after = await reloaded(connection)
    assert after.access_token is not None
    assert after.access_token.reveal() == "Atza|of the new grant"


async def test_it_takes_over_what_a_dead_process_left(
    connect: ConnectionFactory, amazon: AmazonClient
) -> None:
    connection = await in_thread(connect)("bob")
    claims = await in_thread(lease.claim_due)(limit=10, before=timezone.now(), healthy=True)
    assert len(claims) == 1
    assert dict(await refresh_due(amazon)) == {}  # the lease holds

    await in_thread(make_due)(connection)
    assert dict(await refresh_due(amazon)) == {"succeeded": 1}
    assert [refresh.outcome for refresh in await refreshes_of(connection)] == ["lost", "succeeded"]


async def test_a_lost_lease_records_nothing_but_a_rotated_refresh_token(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    sandbox.choices.change({"refresh_rotation": "rotate_and_end"})
    connection = await in_thread(connect)("bob")
    old = connection.refresh_token
    assert old is not None

    def take_lease() -> None:
        make_due(connection)
        assert lease.claim_one(connection.pk, TokenRefresh.Trigger.MANUAL) is not None

    async def on_call(_: object) -> None:
        await in_thread(take_lease)()

    sandbox.faults.add("run", path=TOKEN_PATH, count=1, options={"function": on_call})
    assert dict(await refresh_due(amazon)) == {"superseded": 1}
    after = await reloaded(connection)
    assert after.refresh_count == 0
    assert after.refresh_token is not None
    assert after.refresh_token.reveal() != old.reveal()


async def test_leases_are_renewed_while_amazon_takes_its_time(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LEASE_SECONDS", 0.4)
    monkeypatch.setattr(lease, "RENEWED_SECONDS", 0.4)
    monkeypatch.setattr(lease, "RENEWAL_SECONDS", 0.1)
    await in_thread(connect)("bob")
    sandbox.faults.add("slow", path=TOKEN_PATH, options={"seconds": 1.0})
    slow = asyncio.create_task(refresh_due(amazon))
    await asyncio.sleep(0.7)
    assert dict(await refresh_due(amazon)) == {}
    assert dict(await slow) == {"succeeded": 1}
    assert sandbox.journal.count(path=TOKEN_PATH) == 1


async def test_leases_are_renewed_though_another_one_is_locked(connect: ConnectionFactory) -> None:
    locked = await in_thread(connect)("bob", label="locked")
    await in_thread(connect)("bob", label="free")
    claims = await in_thread(lease.claim_due)(limit=2, before=timezone.now(), healthy=True)
    is_locked, may_go = Event(), Event()

    def hold() -> None:
        with transaction.atomic(), database.cursor() as cursor:
            cursor.execute("SELECT FROM tokens_connection WHERE id = %s FOR SHARE", [locked.pk])
            is_locked.set()
            may_go.wait(5)

    holding = asyncio.ensure_future(in_thread(hold)())
    await asyncio.to_thread(is_locked.wait)
    began = time.monotonic()
    assert await in_thread(lease.renew)(claims) == 1
    assert time.monotonic() - began < 2
    may_go.set()
    await holding
    assert await in_thread(lease.renew)(claims) == 2


async def test_a_check_looks_for_lost_leases_only_twice_a_second(
    amazon: AmazonClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [None, 0.0, 0.0]
    monkeypatch.setattr(lease, "seconds_until_lost", answers.pop)
    began = time.monotonic()
    await refresh_due(amazon)
    assert not answers
    assert time.monotonic() - began >= 1


async def test_failing_ones_do_not_starve_the_others(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox, settings: LazySettings
) -> None:
    settings.AMAZON_MAX_ATTEMPTS = 1

    def make() -> None:
        for number in range(20):
            connect("bob", label=f"failing {number}", last_error="It failed before.")
        for number in range(10):
            connect("charlie", label=f"healthy {number}")

    await in_thread(make)()
    sandbox.faults.add("slow", path=TOKEN_PATH, login="bob", options={"seconds": 2})
    check = asyncio.create_task(refresh_due(amazon))
    await asyncio.sleep(1.5)
    healthy = Connection.objects.filter(label__startswith="healthy", refresh_count=1)
    assert await in_thread(healthy.count)() == 10
    check.cancel()
    await asyncio.gather(check, return_exceptions=True)


async def test_connections_of_another_application_are_left_alone_and_say_so(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)("bob", client_id="amzn1.application-oa2-client.other")
    assert dict(await refresh_due(amazon)) == {}
    with pytest.raises(ApplicationRefusedError, match="another Login with Amazon application"):
        await access_token(connection.pk, amazon=amazon)
    assert (await reloaded(connection)).last_error == ""
    assert sandbox.journal.count() == 0


async def test_a_manual_refresh_does_not_wait_until_the_token_is_due(
    connect: ConnectionFactory, amazon: AmazonClient
) -> None:
    connection = await in_thread(connect)("bob", next_refresh_at=timezone.now() + timedelta(minutes=40))
    counts = await refresh_connections([connection.pk], TokenRefresh.Trigger.MANUAL, amazon)
    assert dict(counts) == {"succeeded": 1}
    assert counts.all_succeeded


async def test_a_refused_application_stops_all_refreshes_and_blames_nobody(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox, settings: LazySettings
) -> None:
    def make() -> None:
        for number in range(60):
            connect("bob", label=f"Shop {number}")

    await in_thread(make)()
    fault = sandbox.faults.add("lwa_error", path=TOKEN_PATH, status=401, error="invalid_client")
    counts = await refresh_due(amazon)
    assert set(counts) == {"config"}
    first = sandbox.journal.count(path=TOKEN_PATH)
    assert first <= CONCURRENCY  # those that were under way when the first was refused

    def all_due() -> int:
        Connection.objects.update(next_refresh_at=timezone.now())
        ApplicationRefusal.objects.update(
            refused_since=timezone.now() - timedelta(hours=1),
            last_refused_at=timezone.now() - timedelta(minutes=5),
            probed_at=timezone.now() - timedelta(minutes=6),
        )
        return Connection.objects.filter(last_error="", state="active").count()

    assert await in_thread(all_due)() == 60
    # One probe per check, however many tasks share the check.
    assert dict(await refresh_due(amazon)) == {"config": 1}
    assert dict(await refresh_due(amazon)) == {}
    assert sandbox.journal.count(path=TOKEN_PATH) == first + 1
    # Who wants to use a token hears why there is none, without a call.
    someone = await in_thread(Connection.objects.latest)("pk")
    with pytest.raises(ApplicationRefusedError):
        await access_token(someone.pk, amazon=amazon, rejected="Atza|old")
    assert sandbox.journal.count(path=TOKEN_PATH) == first + 1

    sandbox.faults.remove(fault.name)
    await in_thread(all_due)()
    assert dict(await refresh_due(amazon)) == {"succeeded": 60}


async def test_a_refusal_that_comes_after_the_claim_was_lost_is_no_acceptance(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)("bob")
    sandbox.faults.add("lwa_error", path=TOKEN_PATH, status=401, error="invalid_client")
    assert dict(await refresh_due(amazon)) == {"config": 1}

    def a_check_later() -> None:
        make_due(connection)
        ApplicationRefusal.objects.update(probed_at=timezone.now() - timedelta(minutes=6))

    async def on_call(_: object) -> None:
        await in_thread(disconnect_connection)(None, connection)

    await in_thread(a_check_later)()
    sandbox.faults.add("run", path=TOKEN_PATH, options={"function": on_call})
    assert dict(await refresh_due(amazon)) == {"superseded": 1}
    assert await in_thread(ApplicationRefusal.objects.exists)()


async def test_who_uses_a_token_finds_out_that_the_application_is_accepted_again(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    def make() -> list[Connection]:
        later = timezone.now() + timedelta(hours=1)
        return [
            connect("bob", label=f"Shop {number}", access_token=None, expires_at=None, next_refresh_at=later)
            for number in range(5)
        ]

    connections = await in_thread(make)()
    fault = sandbox.faults.add("lwa_error", path=TOKEN_PATH, status=401, error="invalid_client")

    async def ask_all() -> list[str | BaseException]:
        return await asyncio.gather(
            *(access_token(each.pk, amazon=amazon) for each in connections), return_exceptions=True
        )

    def a_check_later() -> None:
        ApplicationRefusal.objects.update(probed_at=timezone.now() - timedelta(minutes=6))

    await ask_all()
    refused = sandbox.journal.count(path=TOKEN_PATH)
    await ask_all()
    assert sandbox.journal.count(path=TOKEN_PATH) == refused
    await in_thread(a_check_later)()
    assert all(isinstance(answer, ApplicationRefusedError) for answer in await ask_all())
    assert sandbox.journal.count(path=TOKEN_PATH) == refused + 1
    sandbox.faults.remove(fault.name)
    await in_thread(a_check_later)()
    await ask_all()
    assert not await in_thread(ApplicationRefusal.objects.exists)()
    assert all(isinstance(answer, str) for answer in await ask_all())


async def test_many_queued_refreshes_ask_once_whether_the_application_is_accepted_again(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    def make() -> list[Connection]:
        later = timezone.now() + timedelta(hours=1)
        return [connect("bob", label=f"Shop {number}", next_refresh_at=later) for number in range(5)]

    async def refresh_all() -> int:
        before = sandbox.journal.count(path=TOKEN_PATH)
        for each in connections:
            await refresh_queued(each.pk, TokenRefresh.Trigger.MANUAL, amazon)
        return sandbox.journal.count(path=TOKEN_PATH) - before

    def a_moment_later() -> None:
        ApplicationRefusal.objects.update(probed_at=timezone.now() - timedelta(seconds=11))

    connections = await in_thread(make)()
    fault = sandbox.faults.add("lwa_error", path=TOKEN_PATH, status=401, error="invalid_client")
    assert await refresh_all() == 1
    assert await refresh_all() == 0
    await in_thread(a_moment_later)()
    assert await refresh_all() == 1

    # The command is run by a person, and asks whenever it is run.
    ids = [each.pk for each in connections]
    counts = await refresh_connections(ids, TokenRefresh.Trigger.MANUAL, amazon)
    assert dict(counts) == {"config": 5}
    assert sandbox.journal.count(path=TOKEN_PATH) == 3

    sandbox.faults.remove(fault.name)
    await in_thread(a_moment_later)()
    assert await refresh_all() == 5


async def test_a_queued_refresh_is_not_repeated_when_one_has_ended_meanwhile(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)("bob")
    for _ in range(2):
        await refresh_queued(connection.pk, TokenRefresh.Trigger.ON_USE, amazon, seen=0)
    assert sandbox.journal.count(path=TOKEN_PATH) == 1
    assert (await reloaded(connection)).refresh_count == 1


async def test_another_secret_is_not_held_back_by_the_refusal_of_the_first(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox, settings: LazySettings
) -> None:
    connection = await in_thread(connect)("bob")
    good = settings.AMAZON_CLIENT_SECRET
    settings.AMAZON_CLIENT_SECRET = "wrong"
    assert dict(await refresh_due(amazon)) == {"config": 1}
    settings.AMAZON_CLIENT_SECRET = good
    await in_thread(make_due)(connection)
    assert dict(await refresh_due(amazon)) == {"succeeded": 1}


async def test_a_check_ends_when_amazon_answers_nobody(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox, settings: LazySettings
) -> None:
    settings.AMAZON_MAX_ATTEMPTS = 1

    def make() -> None:
        for number in range(100):
            connect(("bob", "charlie")[number % 2], label=f"Shop {number}")

    await in_thread(make)()
    sandbox.faults.add("error_503", path=TOKEN_PATH)
    counts = await refresh_due(amazon, max_wait=0.1)
    assert set(counts) == {"transient", "postponed"}
    assert sandbox.journal.count(path=TOKEN_PATH) < 40
    assert await in_thread(Connection.objects.filter(state="active").count)() == 100


async def test_logins_that_are_sent_away_alone_do_not_end_the_check_for_the_others(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tokens.refresh.CONCURRENCY", 1)

    def make() -> None:
        first = timezone.now() - timedelta(hours=1)
        parked = [connect("bob", label=f"Parked {number}", next_refresh_at=first) for number in range(4)]
        for number in range(4):
            connect("charlie", label=f"Shop {number}")
        reserve(LWA_KEY, "nobody", max_wait=0)
        limit, until = RateLimit.objects.get(family=LWA_KEY.family), timezone.now() + timedelta(hours=1)
        for each in parked:
            ParkedLogin.objects.create(rate_limit=limit, subject=str(each.pk), until=until)

    await in_thread(make)()
    assert dict(await refresh_due(amazon)) == {"postponed": 4, "succeeded": 4}


async def test_a_refresh_does_not_wait_for_the_long_statements_of_others(
    connect: ConnectionFactory, amazon: AmazonClient
) -> None:
    await in_thread(connect)("bob")
    long_statements = [asyncio.ensure_future(in_thread(time.sleep)(2)) for _ in range(20)]
    await asyncio.sleep(0)
    began = time.monotonic()
    assert dict(await refresh_due(amazon)) == {"succeeded": 1}
    assert time.monotonic() - began < 1.5
    for statement in long_statements:
        statement.cancel()
    await asyncio.gather(*long_statements, return_exceptions=True)


async def test_an_outage_of_hours_disables_nobody_and_one_check_mends_all(
    connect: ConnectionFactory,
    amazon: AmazonClient,
    sandbox: Sandbox,
    settings: LazySettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pace, "FIRST_CIRCUIT_SECONDS", 1)
    monkeypatch.setattr(pace, "MAX_LWA_CIRCUIT_SECONDS", 1)
    settings.LWA_REQUESTS_PER_SECOND = 100

    def make() -> None:
        for number in range(120):
            connect(("bob", "charlie")[number % 2], label=f"Shop {number}")

    def hours_later() -> None:
        sandbox.clock.advance(3600)
        now = timezone.now()
        Connection.objects.update(next_refresh_at=now, expires_at=now - timedelta(minutes=1))

    await in_thread(make)()
    for kind in ("error_503", "hang", "html", "truncated", "drop", "error_500"):
        settings.LWA_TIMEOUT_SECONDS = 0.2
        fault = sandbox.faults.add(kind, path=TOKEN_PATH)
        await refresh_due(amazon, max_wait=0.1)
        assert await in_thread(Connection.objects.filter(state="active").count)() == 120
        await in_thread(hours_later)()
        sandbox.faults.remove(fault.name)
    settings.LWA_TIMEOUT_SECONDS = 10
    counts = await refresh_due(amazon)
    fresh = Connection.objects.filter(expires_at__gt=timezone.now() + timedelta(minutes=50), last_error="")
    assert await in_thread(fresh.count)() == 120, counts
