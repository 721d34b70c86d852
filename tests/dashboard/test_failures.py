"""Failures are told by cause: one sentence and one cure for each."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from accounts.models import Account, BatchItem, BatchOperation, SyncRun
from amazon_accounts.amazon_ads.causes import EXPLANATIONS, Cause, explain
from dashboard.formats.support import write_for_support
from tests.dashboard.conftest import LogIn, MakeAccount, MakeConnection
from tokens.models import Connection

AMAZONS_WORDS = "invalid_grant: The request has an invalid grant parameter (Amazon's request id: REQ-7)"

EndBatch = Callable[[list[tuple[Account, Cause]]], BatchOperation]


@pytest.fixture
def end_batch(alice: User) -> EndBatch:
    def end(failed: list[tuple[Account, Cause]]) -> BatchOperation:
        batch = BatchOperation.objects.create(
            user=alice,
            operation="sync",
            team_ids=[failed[0][0].team_id],
            state="failed",
            total=len(failed),
            failed=len(failed),
            started_at=timezone.now(),
            finished_at=timezone.now() + timedelta(seconds=1),
        )
        BatchItem.objects.bulk_create(
            BatchItem(batch=batch, account=account, state="failed", message=AMAZONS_WORDS, cause=cause)
            for account, cause in failed
        )
        return batch

    return end


@pytest.fixture
def client(alice: User, log_in: LogIn) -> Client:
    return log_in(alice)


def read(client: Client, address: str) -> str:
    return " ".join(client.get(address).content.decode().split())


def test_refused_logins_are_one_line_with_one_button_and_nothing_is_tried_again(
    client: Client,
    alice: User,
    make_connection: MakeConnection,
    make_account: MakeAccount,
    end_batch: EndBatch,
) -> None:
    refused = [
        make_account(make_connection(alice, f"login {number}", state="reauthorization_required"))
        for number in range(3)
    ]
    batch = end_batch([(account, Cause.LOGIN_REFUSED) for account in refused])
    page = read(client, f"/operations/{batch.pk}/")
    assert "3 accounts of 3 logins" in page
    assert page.count("Reconnect 3 logins") == 1
    assert page.count("c-button--main") == 1
    assert "/retry/" not in page
    assert page.count("Details for support") == 4
    Connection.objects.update(state="active")
    page = read(client, f"/operations/{batch.pk}/")
    assert "Reconnect 3 logins" not in page
    assert "/retry/" in page


def test_only_what_failed_with_the_cause_is_tried_again(
    client: Client,
    alice: User,
    make_connection: MakeConnection,
    make_account: MakeAccount,
    end_batch: EndBatch,
) -> None:
    silent, refused = make_account(make_connection(alice)), make_account(make_connection(alice, "two"))
    batch = end_batch([(silent, Cause.NO_ANSWER), (refused, Cause.REQUEST_REFUSED)])
    page = read(client, f"/operations/{batch.pk}/")
    assert page.count("/retry/") == 1
    client.post(f"/operations/{batch.pk}/retry/", {"cause": Cause.NO_ANSWER})
    states = dict(BatchItem.objects.values_list("account", "state"))
    assert states == {silent.pk: "waiting", refused.pk: "failed"}


def test_the_history_and_the_connection_tell_the_cause_before_amazons_words(
    client: Client, alice: User, make_connection: MakeConnection
) -> None:
    connection = make_connection(alice)
    now = timezone.now()
    SyncRun.objects.create(
        connection=connection,
        trigger="scheduled",
        state="failed",
        error=AMAZONS_WORDS,
        cause=Cause.LOGIN_REFUSED,
        started_at=now,
        finished_at=now + timedelta(seconds=1),
    )
    sentence = explain(Cause.LOGIN_REFUSED).sentence
    for address in ("/activity/", f"/connections/{connection.pk}/"):
        page = read(client, address)
        assert page.index(sentence) < page.index("Details for support") < page.index("invalid_grant")
        assert page.count("REQ-7") == 1


def test_texts_for_support_name_each_request_once_and_times_as_the_viewer_sees_them() -> None:
    text = f"ads accounts: {AMAZONS_WORDS} profiles: left alone until 2026-11-28 13:23:37 UTC."
    with timezone.override("Europe/Berlin"):
        assert write_for_support(f"{text} {AMAZONS_WORDS}", "invalid_grant", "REQ-7") == (
            "ads accounts: invalid_grant: The request has an invalid grant parameter profiles: left alone until "
            "28 Nov 2026, 14:23 CET. invalid_grant: The request has an invalid grant parameter · request REQ-7"
        )


def test_every_cause_is_explained_and_one_of_a_newer_version_too() -> None:
    assert set(EXPLANATIONS) == set(Cause)
    assert explain("of_tomorrow") == EXPLANATIONS[Cause.OTHER]


def test_a_failing_connection_tells_when_it_failed_and_when_it_last_worked(
    client: Client, alice: User, make_connection: MakeConnection, make_account: MakeAccount
) -> None:
    now = timezone.now()
    connection = make_connection(
        alice,
        sync_failures=1,
        sync_error=AMAZONS_WORDS,
        last_synced_at=now - timedelta(minutes=14, seconds=5),
    )
    SyncRun.objects.create(
        connection=connection,
        trigger="scheduled",
        state="failed",
        error=AMAZONS_WORDS,
        cause=Cause.NO_ANSWER,
        created_at=now - timedelta(minutes=9, seconds=9),
        started_at=now - timedelta(minutes=9, seconds=9),
        finished_at=now - timedelta(minutes=9, seconds=5),
    )
    account = make_account(connection)
    for address in (f"/connections/{connection.pk}/", f"/accounts/{account.pk}/"):
        text = re.sub(r"<[^>]+>", "", read(client, address))
        note = "The last sync failed 9 min ago. Amazon did not answer. The next sync tries again by itself."
        assert note in " ".join(text.split())
        assert "The last good sync was 14 min ago." in " ".join(text.split())
