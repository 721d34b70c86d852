"""Every state has its tone and its word."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any, get_args

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import Settings

from accounts.lists.by_connection import NO_REASON
from accounts.models import Account, BatchItem, BatchOperation, HealthReason, Standing, SyncRun
from amazon_accounts.postgresql.clock import database_now
from dashboard import status
from dashboard.admin.accounts import RUN_LABELS, STANDING_LABELS, STATUS_LABELS
from dashboard.admin.tokens import OUTCOME_LABELS, STATE_LABELS
from dashboard.formats.times import relative
from dashboard.templatetags.console import SHAPES, duration, percent
from tests.dashboard.conftest import MakeAccount, MakeConnection
from tokens.models import Connection, ConnectLink, TokenRefresh, WebhookDelivery


@pytest.mark.parametrize(
    ("known", "choices"),
    [
        (status.ACCOUNT, Account.Status),
        (status.SYNC, Account.SyncStatus),
        (status.STANDING, Standing),
        (status.CONNECTION, Connection.State),
        (status.SYNC_RUN, SyncRun.State),
        (status.REFRESH, TokenRefresh.Outcome),
        (status.BATCH, BatchOperation.State),
        (status.BATCH_ITEM, BatchItem.State),
        (status.DELIVERY, WebhookDelivery.State),
        (status.LINK, ConnectLink.State),
        (STATUS_LABELS, Account.Status),
        (STANDING_LABELS, Standing),
        (RUN_LABELS, SyncRun.State),
        # A paused connection has no colour.
        ({word: tone for word, tone in STATE_LABELS.items() if word}, Connection.State),
        (OUTCOME_LABELS, TokenRefresh.Outcome),
    ],
)
def test_it_knows_every_state(known: dict[str, object], choices: type[Account.Status]) -> None:
    assert set(known) == set(choices)


def test_it_knows_every_reason_and_none() -> None:
    assert set(status.REASON) == {*HealthReason, NO_REASON}


@pytest.mark.parametrize(
    ("login", "account", "tone", "word", "why"),
    [
        ({}, {}, "good", "OK", ""),
        ({}, {"status": "suspended", "suspended_in": ["UK"]}, "bad", "Suspended", "in UK"),
        (
            {},
            {"status": "suspended", "suspended_in": ["DE", "ES", "FR", "IT", "UK"]},
            *("bad", "Suspended", "in DE, ES, FR and 2 more"),
        ),
        ({}, {"status": "suspended"}, "bad", "Suspended", ""),
        ({"state": "reauthorization_required"}, {}, "bad", "Login refused", "last sync 4 min ago"),
        ({"sync_failures": 2, "last_synced_at": None}, {}, "bad", "Sync failing", "never synced"),
        ({}, {"standing": "at_risk"}, "attention", "At risk", "Amazon reports a payment problem"),
        (
            {},
            {"status": "pending", "standing": "set_up"},
            *("attention", "Set-up missing", "billing, payment or tax details"),
        ),
        ({}, {"status": "pending"}, "attention", "Set-up missing", "registration is not finished"),
        (
            {},
            {"status": "inactive", "inactive_reason": "registration_failed"},
            *("attention", "Inactive", "registration failed"),
        ),
        ({"last_synced_at": None}, {}, "busy", "First sync", "not finished yet"),
        ({}, {"standing": "unknown"}, "off", "Not known", "its billing is not known"),
        ({}, {"status": "unknown", "amazon_status": "FROZEN"}, "off", "Not known", "Amazon says “FROZEN”"),
        ({}, {"sync_enabled": False}, "off", "Paused", "sync is turned off"),
        ({}, {"unread_regions": ["NA", "EU"]}, "off", "Paused", "North America and Europe not read"),
        ({}, {"status": "inactive"}, "off", "Inactive", "no longer visible at Amazon"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_state_of_an_account_is_one_word_and_its_reason(
    alice: User,
    make_connection: MakeConnection,
    make_account: MakeAccount,
    login: dict[str, Any],
    account: dict[str, Any],
    tone: str,
    word: str,
    why: str,
) -> None:
    synced = {"last_synced_at": timezone.now() - timedelta(minutes=4, seconds=5)}
    state = status.state_of_account(make_account(make_connection(alice, **synced | login), **account))
    assert (state.tone, state.word, state.why) == (tone, word, why)


@pytest.mark.parametrize(
    ("ahead", "why"),
    [
        (timedelta(days=6, hours=12), "stops in 6 days"),
        (timedelta(days=3, hours=12), "stops in 3 days"),
        (timedelta(days=1, hours=12), "stops in 1 day"),
        (timedelta(hours=12, minutes=30), "stops in 12 h"),
        (timedelta(seconds=30), "stops in less than a minute"),
    ],
)
def test_a_suspension_that_is_near_tells_how_near(
    alice: User, make_connection: MakeConnection, make_account: MakeAccount, ahead: timedelta, why: str
) -> None:
    account = make_account(make_connection(alice), standing="at_risk", suspension_at=timezone.now() + ahead)
    state = status.state_of_account(account)
    assert (state.word, state.why) == ("At risk", why)


def test_an_announced_suspension_tells_its_date(
    alice: User, make_connection: MakeConnection, make_account: MakeAccount
) -> None:
    connection = make_connection(alice)
    far = datetime(2036, 12, 15, 8, 30, tzinfo=UTC)
    state = status.state_of_account(make_account(connection, standing="at_risk", suspension_at=far))
    assert (state.word, state.why) == ("At risk", "stops on 15 Dec 2036")
    assert state.tip == "Amazon announces it for 15 Dec 2036, 08:30 UTC"
    past = datetime(2026, 1, 2, tzinfo=UTC)
    state = status.state_of_account(make_account(connection, standing="at_risk", suspension_at=past))
    assert (state.word, state.why) == ("At risk", "suspension announced for 2 Jan 2026, 00:00 UTC")


def test_every_tone_has_a_shape() -> None:
    assert set(SHAPES) == set(get_args(status.Tone))


def test_an_unknown_word_is_shown_as_it_is() -> None:
    assert status.find_status(status.ACCOUNT, "REVIEWING") == status.Status("off", "REVIEWING")


@pytest.mark.parametrize(
    ("seconds", "tone", "sentence"),
    [
        (2970, "good", "Token valid for 49 min"),
        (500, "busy", "Token valid for 8 min, refresh due"),
        (100, "attention", "Token valid for 1 min, refresh due"),
        (30, "attention", "Token valid for less than a minute, refresh due"),
        (-5, "bad", "Token expired"),
    ],
)
def test_a_low_token_is_normal_and_only_an_expired_token_is_bad(
    alice: User, make_connection: MakeConnection, seconds: int, tone: str, sentence: str
) -> None:
    connection = make_connection(alice, expires_at=timezone.now() + timedelta(seconds=seconds))
    life = status.measure_token_life(connection)
    assert life
    assert (life.tone, life.sentence) == (tone, sentence)
    assert 0 <= life.share <= 100


@pytest.mark.parametrize(
    ("login", "tone", "word", "why"),
    [
        ({}, "good", "OK", ""),
        (
            {"state": "reauthorization_required", "sync_failures": 3},
            "bad",
            "Login refused",
            "last sync 4 min ago",
        ),
        ({"sync_failures": 1}, "bad", "Sync failing", "last sync 4 min ago"),
        (
            {"last_synced_at": timezone.now() - timedelta(days=3, hours=1)},
            "attention",
            "Late",
            "last sync 3 days ago",
        ),
        ({"last_synced_at": None}, "busy", "First sync", "not finished yet"),
        ({"paused": True, "sync_failures": 1}, "off", "Paused", ""),
        ({"client_id": "another"}, "off", "Other application", ""),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_state_of_a_connection_is_one_word_and_its_reason(
    alice: User, make_connection: MakeConnection, login: dict[str, Any], tone: str, word: str, why: str
) -> None:
    synced = {"last_synced_at": timezone.now() - timedelta(minutes=4, seconds=5)}
    state = status.status_of_connection(make_connection(alice, **synced | login))
    assert (state.tone, state.word, state.why) == (tone, word, why)


def test_every_word_of_state_is_in_the_glossary() -> None:
    glossary = (settings.BASE_DIR / "docs" / "glossary.md").read_text(encoding="utf-8")
    known = {
        word.strip()
        for row in re.findall(r"^\| ([^|]+) \|", glossary, re.MULTILINE)
        for word in row.split(",")
    }
    tables = [table for table in vars(status).values() if isinstance(table, dict)]
    used = {state.word for table in tables for state in table.values() if isinstance(state, status.Status)}
    assert "Login refused" in used
    assert used <= known, f"docs/glossary.md does not explain: {sorted(used - known)}"


@pytest.mark.usefixtures("wrong_clock")
def test_lives_and_ages_do_not_depend_on_the_clock_of_the_process(
    alice: User, make_connection: MakeConnection
) -> None:
    now = database_now()
    connection = make_connection(alice, expires_at=now + timedelta(seconds=2970))
    life = status.measure_token_life(connection)
    assert life
    assert life.sentence == "Token valid for 49 min"
    assert relative(now - timedelta(minutes=4, seconds=5)) == "4 min ago"


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (timedelta(seconds=5), "just now"),
        (timedelta(minutes=4, seconds=5), "4 min ago"),
        (timedelta(hours=2, minutes=10, seconds=5), "2 h 10 min ago"),
        (timedelta(days=1, hours=5), "1 day ago"),
        (timedelta(days=6, hours=1), "6 days ago"),
        (timedelta(minutes=-12, seconds=-5), "in 12 min"),
        (timedelta(seconds=-5), "in less than a minute"),
    ],
)
def test_times_are_relative_up_to_a_week(ago: timedelta, text: str) -> None:
    assert relative(timezone.now() - ago) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.31, "0.3 s"), (42.4, "42 s"), (180, "3 min"), (7_800, "2 h 10 min"), (None, "")]
)
def test_lengths_are_written_in_one_or_two_units(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(None, "none yet"), (1.0, "100 %"), (0.9999, "99.9 %"), (0.5, "50.0 %"), (0.0, "0.0 %")],
)
def test_a_share_is_never_rounded_up_to_100_percent(share: float | None, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    ("days_ago", "tone", "word"),
    [
        (0, "good", "in 364 days"),
        (334, "attention", "in 30 days"),
        (363, "attention", "in 1 day"),
        (364, "attention", "within a day"),
        (400, "bad", "ended"),
    ],
)
def test_the_end_of_a_consent_is_announced_early(
    alice: User,
    make_connection: MakeConnection,
    settings: Settings,
    days_ago: int,
    tone: status.Tone,
    word: str,
) -> None:
    settings.CONSENT_EFFECTIVE_DATE = date(2020, 1, 1)
    consented = timezone.now() - timedelta(days=days_ago, minutes=1)
    found = status.status_of_consent(make_connection(alice, consented_at=consented))
    assert found == status.Status(tone, word)
    unknown = make_connection(alice, consented_at=None)
    assert status.status_of_consent(unknown) == status.Status("off", "Not known")
    gone = make_connection(alice, consented_at=consented, state="disconnected")
    assert status.status_of_consent(gone) == status.Status("off", "None")
