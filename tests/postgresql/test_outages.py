"""What is wrong with the database: how it is found, and how often it is logged."""

import logging
from collections.abc import Iterator

import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connection, connections
from procrastinate.exceptions import ConnectorException

from amazon_accounts.postgresql.base import DatabaseWrapper
from amazon_accounts.postgresql.outages import (
    AWAY,
    CROWDED,
    FULL,
    OUTAGES,
    READ_ONLY,
    OutageFilter,
    Outages,
    find_cause,
    probe,
)
from tests.database_outage import DatabaseOutage, wait_for_the_end_of_outages
from tests.half_open_proxy import HalfOpenProxy, through
from tests.processes import eventually
from tests.sick_database import full_disk, read_only

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def no_outage() -> Iterator[None]:
    yield
    wait_for_the_end_of_outages()


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (psycopg.errors.DiskFull("No space left on device"), FULL),
        (psycopg.errors.ReadOnlySqlTransaction("cannot execute INSERT"), READ_ONLY),
        (psycopg.errors.TooManyConnections("too many"), CROWDED),
        (psycopg.OperationalError("FATAL: sorry, too many clients already"), CROWDED),
        (psycopg.OperationalError("FATAL: remaining connection slots are reserved for"), CROWDED),
        (psycopg.OperationalError("FATAL: could not write init file: No space left on device"), FULL),
        (psycopg.OperationalError("FATAL: tut mir leid, schon zu viele Verbindungen"), AWAY),
        (psycopg.OperationalError("connection refused"), AWAY),
        (psycopg.errors.AdminShutdown("terminating"), AWAY),
        (psycopg.errors.CannotConnectNow("starting up"), AWAY),
        (psycopg.InterfaceError("the connection is closed"), AWAY),
        (psycopg.errors.DeadlockDetected("deadlock"), None),
        (psycopg.errors.UniqueViolation("twice"), None),
        (ValueError("no"), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_cause_is_found_behind_other_errors(error: Exception, cause: str | None) -> None:
    assert find_cause(error) == cause
    outer = ConnectorException()
    outer.__cause__ = error
    assert find_cause(outer) == cause


def test_a_database_that_works_has_no_trouble() -> None:
    assert probe() is None


def test_a_probe_finds_a_database_that_is_away(database_outage: DatabaseOutage) -> None:
    with database_outage:
        trouble = probe()
    assert trouble
    assert trouble.cause == AWAY


def test_a_probe_finds_a_silent_database(half_open_proxy: HalfOpenProxy) -> None:
    with through(half_open_proxy.port):
        half_open_proxy.freeze()
        trouble = probe()
        half_open_proxy.thaw()
    assert trouble
    assert trouble.cause == AWAY


def test_a_probe_finds_a_full_disk() -> None:
    with full_disk("auth_user"):
        assert probe(writes=False) is None
        trouble = probe()
        assert trouble
        assert trouble.cause == FULL


def test_a_probe_finds_a_standby_and_a_write_to_it_is_an_outage() -> None:
    with read_only():
        trouble = probe(writes=False)
        assert trouble
        assert trouble.cause == READ_ONLY
        with pytest.raises(OperationalError) as raised:
            User.objects.create_user("alice")
        assert find_cause(raised.value) == READ_ONLY


def test_a_probe_finds_that_there_are_too_many_connections() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP ROLE IF EXISTS aa_crowded; CREATE ROLE aa_crowded LOGIN CONNECTION LIMIT 0")
    user = connection.settings_dict["USER"]
    try:
        connection.settings_dict["USER"] = "aa_crowded"
        trouble = probe()
    finally:
        connection.settings_dict["USER"] = user
        with connection.cursor() as cursor:
            cursor.execute("DROP ROLE aa_crowded")
    assert trouble
    assert trouble.cause == CROWDED


def test_an_outage_is_logged_when_it_begins_and_when_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    with full_disk("auth_user"):
        for _ in range(3):
            with pytest.raises(OperationalError):
                User.objects.create_user("alice")
        eventually(lambda: FULL in caplog.text)
        assert OUTAGES.is_on
    lines = [record.getMessage() for record in caplog.records if "outages" in record.name]
    assert len(lines) == 2
    assert lines[0].startswith(f"{FULL} (could not extend file")
    assert lines[1].startswith("The database works again after")


def test_in_a_long_outage_all_connections_are_opened_anew_once(
    database_outage: DatabaseOutage, caplog: pytest.LogCaptureFixture
) -> None:
    outages = Outages(patience_seconds=0.5)
    wrapper = connections["default"]
    assert isinstance(wrapper, DatabaseWrapper)
    with database_outage:
        pool = wrapper.pool
        outages.begin()
        eventually(lambda: "All connections are opened anew" in caplog.text)
        eventually(lambda: wrapper.pool is not pool)
    eventually(lambda: not outages.is_on)
    assert caplog.text.count("opened anew") == 1
    assert User.objects.count() == 0


def test_a_session_that_was_ended_is_no_outage_worth_a_line(caplog: pytest.LogCaptureFixture) -> None:
    assert OUTAGES.note(psycopg.errors.AdminShutdown("terminating")) == AWAY
    wait_for_the_end_of_outages()
    assert caplog.text == ""


def test_each_place_logs_one_line_in_an_outage() -> None:
    sink = Sink()
    sink.addFilter(OutageFilter())
    logger = logging.getLogger("some.module")
    logger.addHandler(sink)
    with full_disk("auth_user"):
        for _ in range(3):
            try:
                User.objects.create_user("alice")
            except OperationalError as error:
                logger.exception("A job failed")
                logger.warning("A job was not queued: %s", error)
            eventually(lambda: OUTAGES.is_on)
        logger.warning("Something else")
        logger.warning("Something else")
    assert [line.partition(": ")[0] for line in sink.lines] == [
        "A job failed",
        "A job was not queued",
        "Something else",
        "Something else",
    ]
    assert "Traceback" not in "".join(sink.lines)


class Sink(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))
