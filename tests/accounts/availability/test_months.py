"""The availability of a connection in a month: from the stored facts to the answer of the API and the page."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models.functions import Now
from django.test import Client
from rest_framework.test import APIClient

from accounts.availability.closing import SETTLED_AFTER, store_availability
from accounts.availability.months import (
    count_month,
    first_day,
    get_availability,
    list_availability,
    midnight,
    month_after,
    month_before,
    read_month,
)
from accounts.models import Availability, SyncRun
from accounts.models.availability import SYNC_COLUMNS, TOKEN_COLUMNS
from amazon_accounts.postgresql.clock import database_now
from tests.accounts.conftest import ClientFactory, ConnectionFactory
from tests.sign_ins import sign_in
from tests.teams import join, team_of
from tokens.connect.disconnect import disconnect_connection
from tokens.connect.update import update_connection
from tokens.models import Connection, ConnectionPeriod, TokenRefresh
from tokens.people.roles import Role
from tokens.permissions import SYSTEM
from tokens.refresh.revoked import mark_revoked

pytestmark = pytest.mark.django_db


@pytest.fixture
def connection(alice: User, new_connection: ConnectionFactory) -> Connection:
    return new_connection(alice)


@pytest.fixture
def last_month() -> date:
    """A month that has settled."""
    return month_before(first_day(database_now() - SETTLED_AFTER))


def begin_at(connection: Connection, moment: datetime, expires_at: datetime | None = None) -> None:
    """Let the connection be made at this moment, as if it had never changed since."""
    Connection.objects.filter(pk=connection.pk).update(created_at=moment)
    ConnectionPeriod.objects.filter(connection=connection).update(began_at=moment, expires_at=expires_at)
    connection.refresh_from_db()


def refresh(
    connection: Connection, started_at: datetime, outcome: str = "succeeded", *, life: float = 60
) -> TokenRefresh:
    """Make a refresh of a minute's length; `life` are minutes."""
    finished_at = started_at + timedelta(minutes=1)
    return TokenRefresh.objects.create(
        connection=connection,
        grant_version=1,
        trigger="scheduled",
        started_at=started_at,
        finished_at=finished_at,
        outcome=outcome,
        new_expires_at=finished_at + timedelta(minutes=life) if outcome == "succeeded" else None,
    )


def counted(row: Availability) -> dict[str, int]:
    assert sum(getattr(row, column) for column in TOKEN_COLUMNS) == row.minutes
    assert sum(getattr(row, column) for column in SYNC_COLUMNS) == row.minutes
    return {
        column: getattr(row, column) for column in (*TOKEN_COLUMNS, *SYNC_COLUMNS) if getattr(row, column)
    }


class TestPeriods:
    def read(self, connection: Connection) -> list[tuple[Any, ...]]:
        return list(
            ConnectionPeriod.objects.filter(connection=connection).values_list(
                "state", "paused", "expires_at"
            )
        )

    def test_a_new_connection_begins_when_it_was_made(self, connection: Connection) -> None:
        connection.refresh_from_db()
        period = ConnectionPeriod.objects.get()
        assert (period.began_at, period.expires_at) == (connection.created_at, connection.expires_at)
        assert str(period).endswith(" UTC active")

    def test_each_change_of_state_pause_or_grant_begins_one(self, connection: Connection) -> None:
        expires_at = connection.expires_at
        update_connection(SYSTEM, connection, {"paused": True})
        update_connection(SYSTEM, connection, {"paused": False, "label": "North"})
        mark_revoked(connection, "Refused.")
        later = database_now() + timedelta(hours=1)
        Connection.objects.update(grant_version=2, state="active", expires_at=later)
        disconnect_connection(SYSTEM, connection)
        assert self.read(connection) == [
            ("active", False, expires_at),
            ("active", True, expires_at),
            ("active", False, expires_at),
            ("reauthorization_required", False, expires_at),
            ("active", False, later),
            ("disconnected", False, None),
        ]

    def test_other_changes_begin_none(self, connection: Connection) -> None:
        Connection.objects.update(label="North", expires_at=Now(), last_synced_at=Now(), refresh_count=7)
        Connection.objects.get().save()
        assert len(self.read(connection)) == 1


class TestCounting:
    def test_it_counts_what_is_stored(self, connection: Connection, last_month: date) -> None:
        begin = midnight(last_month)
        begin_at(connection, begin + timedelta(minutes=10), begin + timedelta(minutes=70))
        refresh(connection, begin + timedelta(minutes=68), "transient")
        refresh(connection, begin + timedelta(minutes=72))
        SyncRun.objects.create(
            connection=connection,
            trigger="connect",
            state="partial",
            created_at=begin + timedelta(minutes=11),
            started_at=begin + timedelta(minutes=11),
            finished_at=begin + timedelta(minutes=12),
            sources=[{"source": "ads_accounts", "outcome": "cut", "errors": []}],
        )
        (row,) = count_month([connection], last_month, begin + timedelta(minutes=300, seconds=59))
        assert (row.minutes, row.until) == (300, begin + timedelta(minutes=300))
        assert counted(row) == {
            "disconnected": 10,
            "token_valid": 120,
            "lost_to_amazon": 3,
            "lost_to_us": 167,
            "sync_off": 10,
            "sync_fresh": 120,
            "sync_late": 170,
        }
        assert (row.token_valid_percent, row.sync_fresh_percent) == (41.37, 41.37)

    @pytest.mark.parametrize(
        ("state", "sources"),
        [("failed", []), ("partial", [{"source": "ads_accounts", "outcome": "forbidden"}]), ("running", [])],
    )
    def test_only_a_good_sync_makes_it_fresh(
        self, connection: Connection, last_month: date, state: str, sources: list[Any]
    ) -> None:
        begin = midnight(last_month)
        begin_at(connection, begin)
        SyncRun.objects.create(
            connection=connection,
            trigger="manual",
            state=state,
            created_at=begin,
            started_at=begin,
            finished_at=begin,
            sources=sources,
        )
        (row,) = count_month([connection], last_month, begin + timedelta(minutes=60))
        assert row.sync_late == 60

    def test_an_outage_of_login_with_amazon_explains_connections_that_were_not_tried(
        self, connection: Connection, new_connection: ConnectionFactory, bob: User, last_month: date
    ) -> None:
        begin = midnight(last_month)
        begin_at(connection, begin, begin + timedelta(minutes=60))
        other = new_connection(bob)
        for minute in (58, 62, 66):
            refresh(other, begin + timedelta(minutes=minute), "postponed")
        refresh(other, begin + timedelta(minutes=68))
        refresh(connection, begin + timedelta(minutes=71))
        (row,) = count_month([connection], last_month, begin + timedelta(minutes=100))
        # The others follow the first that got a token within a minute: it ended at 69.
        assert counted(row) == {
            "token_valid": 88,
            "lost_to_amazon": 10,
            "lost_to_us": 2,
            "sync_late": 100,
        }

    def test_the_failure_of_one_login_explains_nothing_while_others_get_tokens(
        self, connection: Connection, new_connection: ConnectionFactory, bob: User, last_month: date
    ) -> None:
        begin = midnight(last_month)
        begin_at(connection, begin, begin + timedelta(minutes=60))
        other, third = new_connection(bob), new_connection(bob)
        for minute in (61, 65, 69):
            refresh(other, begin + timedelta(minutes=minute), "throttled")
            refresh(third, begin + timedelta(minutes=minute))
        (row,) = count_month([connection], last_month, begin + timedelta(minutes=75))
        assert (row.lost_to_amazon, row.lost_to_us) == (6, 9)


class TestStoring:
    def test_a_month_that_is_over_is_stored_once(self, connection: Connection, last_month: date) -> None:
        begin = midnight(last_month)
        begin_at(connection, begin + timedelta(days=1), begin + timedelta(days=1, hours=1))
        assert store_availability(connections_at_once=1) == 1
        assert store_availability() == 0
        row = Availability.objects.get()
        assert (row.month, row.is_final) == (last_month, True)
        assert row.minutes == (midnight(month_after(last_month)) - begin) / timedelta(minutes=1)
        assert counted(row) == {
            "disconnected": 1440,
            "token_valid": 60,
            "lost_to_us": row.minutes - 1500,
            "sync_off": 1440,
            "sync_late": row.minutes - 1440,
        }

    def test_the_stored_month_is_shown_when_its_refreshes_are_deleted(
        self, connection: Connection, last_month: date
    ) -> None:
        begin = midnight(last_month)
        begin_at(connection, begin)
        refresh(connection, begin)
        store_availability()
        TokenRefresh.objects.all().delete()
        assert get_availability(connection, last_month).token_valid == 60

    def test_a_month_whose_facts_were_deleted_is_not_known(self, connection: Connection) -> None:
        month = first_day(database_now() - timedelta(days=200))
        begin_at(connection, midnight(month))
        row = get_availability(connection, month)
        assert counted(row) == {"token_unknown": row.minutes, "sync_unknown": row.minutes}
        assert (row.token_valid_percent, row.sync_fresh_percent, row.is_final) == (None, None, False)

    def test_a_connection_of_this_month_has_nothing_to_store(self, connection: Connection) -> None:
        begin_at(connection, midnight(first_day(database_now())))
        assert store_availability() == 0

    def test_the_list_has_every_month_since_the_first_period(
        self, connection: Connection, last_month: date
    ) -> None:
        begin_at(connection, midnight(last_month))
        store_availability()
        months = list_availability(connection)
        assert months[-1].month == last_month
        assert months[0].month == first_day(database_now())
        assert [row.is_final for row in months] == [False] * (len(months) - 1) + [True]
        assert [row.month for row in list_availability(connection, limit=1)] == [months[0].month]


@pytest.mark.parametrize(
    "text", ["2026-13", "2026-1", "2026-00", "0000-01", "26-01", "2026-01-01", "２026-01", ""]
)
def test_a_malformed_month_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="It must be a month such as 2026-11"):
        read_month(text)


class TestApi:
    def ask(self, client: APIClient, connection: Connection, query: str = "") -> Any:
        return client.get(f"/api/v1/connections/{connection.pk}/availability/{query}")

    def test_it_answers_with_the_month_that_is_not_over(self, api: APIClient, connection: Connection) -> None:
        begin_at(connection, datetime(2026, 1, 1, tzinfo=UTC))
        answer = self.ask(api, connection).json()
        assert (answer["month"], answer["is_final"]) == (f"{database_now():%Y-%m}", False)
        assert sum(answer[column] for column in TOKEN_COLUMNS) == answer["minutes"]
        assert sum(answer[column] for column in SYNC_COLUMNS) == answer["minutes"]

    @pytest.mark.parametrize(
        ("query", "words"),
        [
            ("?month=2026-13", "It must be a month such as 2026-11."),
            ("?month=November", "It must be a month such as 2026-11."),
            ("?month=9999-12", "9999-12 has not begun yet. Months are those of UTC."),
            ("?month=1999-12", "The connection was made later. Its first month is "),
            ("?month=", "It is empty. Leave it out."),
            ("?month=2026-01&month=2026-02", "It may be given once."),
        ],
    )
    def test_a_month_that_cannot_be_is_refused(
        self, api: APIClient, connection: Connection, query: str, words: str
    ) -> None:
        answer = self.ask(api, connection, query)
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["field"] == "month"
        assert words in answer.json()["errors"][0]["detail"]

    def test_another_team_and_who_has_lost_the_connection_find_nothing(
        self, connection: Connection, bob: User, client_of: ClientFactory
    ) -> None:
        assert self.ask(client_of(bob), connection).status_code == 404
        Connection.objects.update(team=team_of(bob))
        assert self.ask(client_of(bob), connection).status_code == 200
        assert self.ask(client_of(connection.owner), connection).status_code == 404


class TestPage:
    def test_it_explains_and_the_file_has_the_same_months(
        self, client: Client, alice: User, connection: Connection, last_month: date
    ) -> None:
        begin_at(connection, midnight(last_month))
        refresh(connection, midnight(last_month))
        store_availability()
        sign_in(client, alice)
        page = client.get(f"/connections/{connection.pk}/").content.decode()
        assert f"{last_month:%b}&nbsp;{last_month:%Y}" in page
        assert "0.13 %" in page
        assert "How the minutes are counted" in page
        address = f"/connections/{connection.pk}/availability.csv"
        assert f'href="{address}"' in page
        rows = list(csv.DictReader(io.StringIO(client.get(address).content.decode())))
        assert (rows[-1]["month"], rows[-1]["is_final"]) == (f"{last_month:%Y-%m}", "true")
        assert (rows[-1]["token_valid"], rows[-1]["token_valid_percent"]) == ("60", "0.13")

    def test_another_team_finds_no_file(self, client: Client, bob: User, connection: Connection) -> None:
        join(bob, "Elsewhere", Role.ADMINISTRATOR)
        sign_in(client, bob)
        assert client.get(f"/connections/{connection.pk}/availability.csv").status_code == 404
