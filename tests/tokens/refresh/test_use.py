"""Tokens for our own calls to Amazon."""

import asyncio
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.utils import timezone

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.errors import TransientError
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from tests.tokens.conftest import ConnectionFactory
from tests.tokens.factories import read_refreshes, reload
from tokens.models import TokenRefresh
from tokens.refresh.access_tokens import get_access_token
from tokens.refresh.due import refresh_due

pytestmark = pytest.mark.django_db

Outcome = TokenRefresh.Outcome
TOKEN_PATH = "/auth/o2/token"


async def test_it_makes_one_call_for_many_who_ask_at_once(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)("bob", expires_at=timezone.now() - timedelta(minutes=1))
    sandbox.faults.add("slow", path=TOKEN_PATH, options={"seconds": 0.3})
    tokens = await asyncio.gather(*(get_access_token(connection.pk, amazon=amazon) for _ in range(25)))
    assert len(set(tokens)) == 1
    assert sandbox.journal.count(path=TOKEN_PATH) == 1
    (refresh,) = await read_refreshes(connection)
    assert refresh.trigger == TokenRefresh.Trigger.ON_USE


async def test_it_gives_a_token_that_is_still_good_without_a_call(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)("bob")
    assert await get_access_token(connection.pk, amazon=amazon) == "Atza|old"
    assert sandbox.journal.count() == 0


async def test_it_replaces_a_token_that_amazon_rejected(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)("bob")
    token = await get_access_token(connection.pk, amazon=amazon, rejected="Atza|old")
    assert token != "Atza|old"
    # Who was rejected with the old one too gets the new one without another call.
    assert await get_access_token(connection.pk, amazon=amazon, rejected="Atza|old") == token
    assert sandbox.journal.count(path=TOKEN_PATH) == 1


async def test_it_does_not_refresh_at_every_use_when_tokens_live_for_less_than_a_minute(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    sandbox.choices.change({"access_token_seconds": 30})
    connection = await in_thread(connect)("bob", expires_at=timezone.now() - timedelta(minutes=1))
    for _ in range(3):
        await get_access_token(connection.pk, amazon=amazon)
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
        held = await reload(connection)
        if held.lease_id is not None:
            break
        await asyncio.sleep(0.01)
    with pytest.raises(TransientError):
        await get_access_token(connection.pk, amazon=amazon)
    await other
    assert sandbox.journal.count(path=TOKEN_PATH) == 1
