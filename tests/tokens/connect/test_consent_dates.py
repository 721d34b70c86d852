"""The days of consents that nobody has seen: one by one, and from a file."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils import timezone

from tests.teams import set_role
from tests.tokens.conftest import new_connection
from tokens.connect.consent_dates import MAX_BYTES, MAX_ROWS, enter_consent_dates
from tokens.connect.update import update_connection
from tokens.models import AuditEntry, Connection
from tokens.people.roles import Role

pytestmark = pytest.mark.django_db

DAY = "2026-08-01"


@pytest.fixture
def mara(alice: User) -> User:
    return set_role(alice, Role.OPERATOR)


@pytest.fixture
def connections(mara: User, settings: LazySettings) -> list[Connection]:
    return [
        new_connection(
            mara, settings, f"Atzr|{n}", label=f"Shop {n}", amazon_user_email=f"{n}@garden.example"
        )
        for n in range(3)
    ]


def days() -> list[date | None]:
    return [connection.consented_on for connection in Connection.objects.order_by("label")]


class TestOne:
    def test_its_end_follows_from_the_day(self, mara: User, connections: list[Connection]) -> None:
        assert update_connection(mara, connections[0], {"consented_on": DAY}).changed
        connections[0].refresh_from_db()
        assert connections[0].consented_at == datetime(2026, 8, 1, tzinfo=UTC)
        assert connections[0].consent_ends_at == datetime(2027, 8, 1, tzinfo=UTC)
        entry = AuditEntry.objects.get()
        assert (entry.before, entry.after) == ({"consented_on": None}, {"consented_on": DAY})

    def test_it_can_be_corrected_and_taken_back(self, mara: User, connections: list[Connection]) -> None:
        for day in (DAY, "2026-08-02", None):
            update_connection(mara, connections[0], {"consented_on": day})
        assert days() == [None, None, None]

    def test_a_consent_that_was_given_here_keeps_its_moment(
        self, mara: User, connections: list[Connection]
    ) -> None:
        Connection.objects.update(consented_at=timezone.now())
        with pytest.raises(ValidationError, match="The login consented here"):
            update_connection(mara, connections[0], {"consented_on": DAY})

    @pytest.mark.parametrize(
        "day", ["", "1.8.2026", "20260801", "2026-W31-6", "2026-13-01", "1999-01-01", 7, True]
    )
    def test_what_is_no_day_is_refused(self, mara: User, connections: list[Connection], day: Any) -> None:
        with pytest.raises(ValidationError) as refused:
            update_connection(mara, connections[0], {"consented_on": day})
        assert list(refused.value.message_dict) == ["consented_on"]

    def test_tomorrow_is_refused(self, mara: User, connections: list[Connection]) -> None:
        tomorrow = f"{timezone.now() + timedelta(days=1):%Y-%m-%d}"
        with pytest.raises(ValidationError, match="until today"):
            update_connection(mara, connections[0], {"consented_on": tomorrow})


class TestFile:
    @pytest.mark.parametrize("delimiter", [",", ";"])
    def test_lines_name_connections_by_login(
        self, mara: User, connections: list[Connection], delimiter: str
    ) -> None:
        text = f"\ufefflabel,Login,Consented_on\r\nx,0@garden.example,{DAY}\r\n\r\nx,2@garden.example,2026-08-03\r\n"
        assert enter_consent_dates(mara, text.replace(",", delimiter).encode()) == 2
        assert days() == [date(2026, 8, 1), None, date(2026, 8, 3)]

    def test_lines_name_connections_by_id(self, mara: User, connections: list[Connection]) -> None:
        text = f"id,consented_on\n{connections[1].pk},{DAY}\n"
        assert [enter_consent_dates(mara, text.encode()) for _ in range(2)] == [1, 0]
        assert days() == [None, date(2026, 8, 1), None]

    def test_nothing_is_entered_if_a_line_is_wrong_and_each_is_named(
        self, mara: User, connections: list[Connection]
    ) -> None:
        bob = User.objects.create_user("bob")
        Connection.objects.filter(pk=connections[2].pk).update(consented_at=timezone.now())
        text = f"login,consented_on\n0@garden.example,{DAY}\n1@garden.example,soon\nx@y,{DAY}\n,{DAY}\n2@garden.example,{DAY}\n1@garden.example"
        with pytest.raises(ValidationError) as refused:
            enter_consent_dates(mara, text.encode())
        assert refused.value.messages == [
            "Line 3: It must be a day like 2026-08-01.",
            "Line 4: None of your connections has this login.",
            "Line 5: The login is missing.",
            "Line 6: The login consented here, so the day is known and stays as it is.",
            "Line 7: The day is missing.",
        ]
        assert days()[:2] == [None, None]
        assert not AuditEntry.objects.exists()
        assert not Connection.objects.visible_to(bob).exists()

    @pytest.mark.parametrize(
        ("data", "why"),
        [
            (b"", "The first line must name the columns"),
            (b"name,day\nx,2026-08-01\n", "The first line must name the columns"),
            (b"login,consented_on\n\xff\xfe\n", "not text in UTF-8"),
            (b'login,consented_on\n"x\0,2026-08-01\n', "not text in UTF-8"),
            (b"x" * (MAX_BYTES + 1), "more than 512 KB"),
            (b"login,consented_on\n" + b"x,y\n" * (MAX_ROWS + 1), "more than 2,000 lines"),
            (b"login,consented_on\n" + b"x,y\n" * 60, "10 more lines are wrong."),
        ],
        ids=["empty", "columns", "bytes", "quote", "large", "long", "all wrong"],
    )
    def test_what_is_no_such_file_is_refused(self, mara: User, data: bytes, why: str) -> None:
        with pytest.raises(ValidationError) as refused:
            enter_consent_dates(mara, data)
        assert any(why in text for text in refused.value.messages), refused.value.messages
