"""Where sessions are kept: digests of their keys, how long they live, and how they end."""

from datetime import timedelta
from importlib import import_module

import pytest
from asgiref.sync import async_to_sync
from django.conf import LazySettings, settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.models import Session as DjangoSession
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from psycopg.sql import SQL, Identifier

from tests.tokens.people.conftest import Browser, is_signed_in
from tokens.models import Session
from tokens.people.pruning import prune_sessions
from tokens.people.sessions import SessionStore, digest_key

pytestmark = pytest.mark.django_db


def age(**fields: timedelta) -> None:
    now = timezone.now()
    Session.objects.update(**{name: now - length for name, length in fields.items()})


def key_of(browser: Client) -> str:
    return str(browser.cookies[settings.SESSION_COOKIE_NAME].value)


def stored_in_clear(key: str) -> list[str]:
    """Return the tables that have the key in one of their rows."""
    found = []
    with connection.cursor() as cursor:
        for table in ("tokens_session", "django_session"):
            rows = SQL("SELECT stored::text FROM {} AS stored").format(Identifier(table))
            found += [table for (text,) in cursor.execute(rows).fetchall() if key in text]
    return found


class TestKey:
    def test_only_its_digest_is_stored(self, new_browser: Browser) -> None:
        key = key_of(new_browser())
        assert Session.objects.get().key_digest == digest_key(key)
        assert stored_in_clear(key) == []

    def test_the_digest_opens_nothing(self, new_browser: Browser) -> None:
        new_browser()
        thief = Client()
        thief.cookies[settings.SESSION_COOKIE_NAME] = Session.objects.get().key_digest
        assert not is_signed_in(thief)

    @pytest.mark.parametrize("key", ["", "short", "\x00" * 32, "é" * 32, "x" * 5000])
    def test_a_malformed_key_opens_nothing(self, db: None, key: str) -> None:
        assert dict(SessionStore(key).items()) == {}

    def test_a_sign_in_changes_it(self, alice: User) -> None:
        browser = Client()
        session = browser.session
        session["before"] = 1
        session.save()
        browser.cookies[settings.SESSION_COOKIE_NAME] = str(session.session_key)
        browser.force_login(alice)
        assert key_of(browser) != session.session_key
        assert Session.objects.get().user == alice

    def test_the_asynchronous_methods_store_only_the_digest(self, db: None) -> None:
        async def use() -> tuple[str, str]:
            session = SessionStore()
            await session.aset("count", 1)
            await session.asave()
            first = str(session.session_key)
            await session.acycle_key()
            await session.asave()
            again = SessionStore(session.session_key)
            assert await again.aget("count") == 1
            assert await again.aexists(str(again.session_key))
            assert not await again.aexists(first)
            await again.aset("count", 2)
            await again.asave()
            return first, str(again.session_key)

        first, second = async_to_sync(use)()
        assert [*stored_in_clear(first), *stored_in_clear(second)] == []
        assert SessionStore(second)["count"] == 2

    def test_the_asynchronous_methods_end_a_session(self, db: None) -> None:
        async def use() -> str:
            session = SessionStore()
            await session.asave()
            key = str(session.session_key)
            await session.aflush()
            return key

        assert not SessionStore().exists(async_to_sync(use)())


class TestLife:
    def test_an_idle_session_ends(self, new_browser: Browser) -> None:
        browser = new_browser()
        age(seen_at=timedelta(seconds=settings.SESSION_IDLE_SECONDS - 60))
        assert is_signed_in(browser)
        age(seen_at=timedelta(seconds=settings.SESSION_IDLE_SECONDS + 1))
        assert not is_signed_in(browser)

    def test_a_session_that_is_used_ends_at_its_greatest_age(self, new_browser: Browser) -> None:
        browser = new_browser()
        age(started_at=timedelta(seconds=settings.SESSION_MAX_SECONDS - 60))
        assert is_signed_in(browser)
        age(started_at=timedelta(seconds=settings.SESSION_MAX_SECONDS + 1))
        assert not is_signed_in(browser)

    def test_shorter_limits_hold_for_sessions_that_exist(
        self, new_browser: Browser, settings: LazySettings
    ) -> None:
        browser = new_browser()
        age(seen_at=timedelta(minutes=20))
        settings.SESSION_IDLE_SECONDS = 900
        assert not is_signed_in(browser)

    def test_a_use_is_noted_once_in_five_minutes(self, new_browser: Browser) -> None:
        key = key_of(new_browser())
        age(seen_at=timedelta(minutes=6))
        with CaptureQueriesContext(
            connection,
        ) as first:
            assert SESSION_KEY in SessionStore(key)
        with CaptureQueriesContext(connection) as second:
            assert SESSION_KEY in SessionStore(key)
        assert [query["sql"].split()[0] for query in first] == ["SELECT", "UPDATE"]
        assert [query["sql"].split()[0] for query in second] == ["SELECT"]
        assert timezone.now() - Session.objects.get().seen_at < timedelta(minutes=1)

    def test_a_sign_in_starts_it_anew(self, alice: User) -> None:
        session = SessionStore()
        session.create()
        age(started_at=timedelta(days=29))
        browser = Client()
        browser.cookies[settings.SESSION_COOKIE_NAME] = str(session.session_key)
        browser.force_login(alice)
        assert timezone.now() - Session.objects.get().started_at < timedelta(minutes=1)

    @pytest.mark.parametrize("prune", [prune_sessions, lambda: call_command("clearsessions")])
    def test_ended_sessions_are_deleted(self, new_browser: Browser, prune: object) -> None:
        new_browser()
        age(seen_at=timedelta(days=1))
        new_browser()
        age(started_at=timedelta(days=31))
        live = new_browser()
        assert callable(prune)
        prune()
        assert Session.objects.get().key_digest == digest_key(key_of(live))

    def test_the_cookie_lives_as_long_as_the_session_may(self, db: None, settings: LazySettings) -> None:
        assert SessionStore().get_expiry_age() == settings.SESSION_MAX_SECONDS


class TestRunningRequest:
    def test_it_cannot_revive_a_session_that_was_ended(self, new_browser: Browser) -> None:
        running = SessionStore(key_of(new_browser()))
        running["change"] = 1
        Session.objects.all().delete()
        with pytest.raises(UpdateError):
            running.save()
        assert not Session.objects.exists()

    def test_it_cannot_prolong_a_session_that_has_run_out(self, new_browser: Browser) -> None:
        running = SessionStore(key_of(new_browser()))
        running["change"] = 1
        age(started_at=timedelta(days=31))
        with pytest.raises(UpdateError):
            running.save()


def test_the_sessions_of_earlier_releases_are_deleted(alice: User) -> None:
    DjangoSession.objects.create(session_key="a" * 32, session_data="", expire_date=timezone.now())
    migration = import_module("tokens.migrations.0012_sessions").Migration
    statements = [operation.sql for operation in migration.operations if hasattr(operation, "sql")]
    with connection.cursor() as cursor:
        cursor.execute(next(sql for sql in statements if "django_session" in sql))
    assert not DjangoSession.objects.exists()
