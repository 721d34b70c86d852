"""The shared cache: it keeps what it was given until its time, and nothing longer."""

import time
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.core.cache.backends import db
from django.db import connection
from django.utils import timezone

from amazon_accounts.postgresql.cache import delete_expired_entries


@pytest.mark.django_db
def test_it_forgets_no_entry_because_others_came() -> None:
    cache.set("limit", [1.5], 60)
    cache.set_many({f"other-{number}": number for number in range(400)}, 60)
    assert cache.get("limit") == [1.5]


@pytest.mark.django_db
def test_only_the_first_of_two_adds_an_entry() -> None:
    assert cache.add("lock", True, 60)
    assert not cache.add("lock", False, 60)
    assert cache.get("lock") is True


@pytest.mark.django_db
def test_an_expired_entry_can_be_added_again_and_is_pruned() -> None:
    for key in ("again", "old"):
        cache.set(key, 1, 0.001)
    time.sleep(0.01)
    assert cache.add("again", 2, 60)
    assert delete_expired_entries() == 1
    assert cache.get("again") == 2


@pytest.mark.django_db
def test_an_entry_without_an_end_stays() -> None:
    cache.set("for-ever", "x", None)
    assert cache.touch("for-ever", None)
    assert delete_expired_entries() == 0
    assert cache.get("for-ever") == "x"


@pytest.mark.django_db
@pytest.mark.parametrize("seconds_off", [-3600, 3600], ids=["slow", "fast"])
def test_the_clock_of_the_process_ends_no_entry(monkeypatch: pytest.MonkeyPatch, seconds_off: int) -> None:
    right, right_now = time.time, timezone.now
    monkeypatch.setattr(time, "time", lambda: right() + seconds_off)
    monkeypatch.setattr(db, "tz_now", lambda: right_now() + timedelta(seconds=seconds_off))
    cache.set("limit", "kept", 60)
    cache.set("short", "ended", 0.001)
    time.sleep(0.01)
    assert cache.get_many(["limit", "short"]) == {"limit": "kept"}
    assert "limit" in cache
    assert "short" not in cache
    assert delete_expired_entries() == 1
    assert cache.get("limit") == "kept"


@pytest.mark.django_db
def test_an_entry_may_be_none() -> None:
    cache.set("nothing", None, 60)
    assert cache.get("nothing", "absent") is None
    assert cache.get("other", "absent") == "absent"


@pytest.mark.django_db
def test_a_write_is_one_statement(django_assert_num_queries: object) -> None:
    with django_assert_num_queries(1):  # type: ignore[operator]
        cache.set("key", "value", 60)


@pytest.mark.django_db
def test_its_table_and_those_of_paces_are_not_logged() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relpersistence = 'u' AND relname = ANY(%s)",
            [["cache_entries", "tokens_requestclock", "tokens_signinpace"]],
        )
        assert len(cursor.fetchall()) == 3
